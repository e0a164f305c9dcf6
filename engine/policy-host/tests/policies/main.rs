//! Policies as the engines meet them: real components, compiled by a real child, asked through the public interface.

mod command;
mod compiling;
mod conformance;
mod detector;
mod hostile;
mod packed;
mod polling;
mod reload;
mod rollout;
mod shipped;
mod support;
