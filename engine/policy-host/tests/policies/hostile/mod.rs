//! Policies that would hurt their host, and files that are none.
//!
//! Each case lies in a directory beside a good policy. Asserted of every one (`host`): it fails by its class, with a
//! message that names the file and the limit; the good policy answers before, meanwhile and afterwards exactly as if
//! it were alone; and when the file is gone, memory, threads, open files and child processes are back where they were
//! (`vitals`). For that each test has a process of its own (`alone`).
//!
//! They are components; those that are WASI commands stand in `commands`.

mod alone;
mod answers;
mod bombs;
mod breaker;
mod bytes;
mod cache;
mod commands;
mod compiler;
mod files;
mod floods;
mod guest;
mod host;
mod loops;
mod signal;
mod sleep;
mod vitals;
