//! Policies as the engines meet them: real components, compiled by a real child, asked through the public interface.

mod command;
mod conformance;
mod hostile;
mod reload;
mod shipped;
mod support;
