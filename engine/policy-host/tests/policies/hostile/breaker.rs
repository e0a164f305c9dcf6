//! A policy that keeps failing.

use anyhow::Result;
use rectifier_core::policy::FailureClass;

use super::alone::alone;
use super::guest::Guest;
use super::host::Host;

#[test]
fn three_failures_open_the_breaker_of_that_policy_alone() -> Result<()> {
    alone(|| async {
        let host = Host::new().await?;
        host.after(|| {
            ["Bad", "Worse"].iter().try_for_each(|name| {
                let traps = Guest {
                    name,
                    decide: "(unreachable)",
                    ..Guest::default()
                };
                host.bench.put(&format!("{name}.wasm"), traps.build()?)
            })
        })
        .await?;
        let class = async |kind| Ok::<_, anyhow::Error>(host.failure(kind).await?.0);
        for _ in 0..3 {
            assert_eq!(class("Bad").await?, FailureClass::Trap);
        }
        assert_eq!(class("Bad").await?, FailureClass::BreakerOpen);
        assert_eq!(class("Worse").await?, FailureClass::Trap);
        host.is_well().await
    })
}
