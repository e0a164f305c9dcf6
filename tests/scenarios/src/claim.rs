//! What a scenario claims of the world, and that it did not come true: a failure of another kind than a world that fell
//! apart. Only this kind may count as "red, as it must be" when a step of the loop is left out.

use anyhow::Error;
pub use rectifier_story::Unmet;

/// The beginning of a failed scenario's message when the world stood and a claim did not come true. `cargo xtask test
/// --without` looks for it (`engine/xtask/src/without.rs`), and takes every other failure for an accident.
pub const UNMET: &str = "the world stood, and the scenario did not come true";

/// Is a claim that did not come true, or did not within its limit, at the root of that error?
#[must_use]
pub fn is_unmet(error: &Error) -> bool {
    error.chain().any(|cause| cause.is::<Unmet>())
}

/// An [`Unmet`] claim, in these words, as an error.
#[macro_export]
macro_rules! unmet {
    ($($words:tt)+) => {
        anyhow::Error::new($crate::claim::Unmet::new(format!($($words)+)))
    };
}

/// Claims that it is so; returns an [`Unmet`] claim, in these words, if it is not.
#[macro_export]
macro_rules! claim {
    ($so:expr, $($words:tt)+) => {
        if !$so {
            return Err($crate::unmet!($($words)+));
        }
    };
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, Result, bail};

    use super::*;

    fn claimed(so: bool) -> Result<()> {
        claim!(so, "{} is not {}", 1, 2);
        Ok(())
    }

    #[test]
    fn a_claim_is_found_below_what_was_said_about_it() {
        let error = claimed(false).context("while counting").unwrap_err();
        assert!(is_unmet(&error));
        assert_eq!(format!("{error:#}"), "while counting: 1 is not 2");
        assert!(claimed(true).is_ok());
    }

    #[test]
    fn a_part_that_fails_is_no_claim() {
        let broken = || -> Result<()> { bail!("Nova does not answer") };
        assert!(!is_unmet(&broken().context("a claim").unwrap_err()));
    }
}
