//! Lines for the operator's log: the engine passes them on, up to its limits. In tests on the machine itself they go
//! to standard error.

#[cfg(target_arch = "wasm32")]
fn write(level: crate::bindings::rectifier::policy::log::Level, message: &str) {
    crate::bindings::rectifier::policy::log::write(level, message);
}

#[cfg(not(target_arch = "wasm32"))]
fn write(level: crate::bindings::rectifier::policy::log::Level, message: &str) {
    eprintln!("{level:?}: {message}");
}

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident => $level:ident,)*) => {
        $($(#[$doc])* pub fn $name(message: impl AsRef<str>) {
            write(crate::bindings::rectifier::policy::log::Level::$level, message.as_ref());
        })*
    };
}

levels! {
    /// For the policy's author.
    debug => Debug,
    /// For whoever reads the story of a repair.
    info => Info,
    /// Somebody should look at it today.
    warn => Warn,
    /// Something is wrong; the engine writes it as a warning.
    error => Error,
}
