//! The OpenStack implementation against what real services once answered: `fixtures/` holds answers of
//! Nova 34 and Neutron 29, without the fields that nobody reads.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's own helpers may fail as its tests may"
)]

mod errors;
mod lists;
mod mutated;
mod reads;
mod replay;
mod writes;
