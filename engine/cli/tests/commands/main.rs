//! The program as people use it: its words, its answers, its exit codes.

mod check;
mod cloud;
mod guide;
mod new;
mod replay;
mod run;
mod shipped;
mod support;
mod test;
mod tools;
