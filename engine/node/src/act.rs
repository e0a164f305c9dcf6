//! The last step of a pass: the one intrusive thing that it may begin. Its attempt is in the journal by now, and what
//! becomes of it is told by the world: a job's end, a condition, a boot id.

use rectifier_core::episode::{Begin, Ended};
use rectifier_core::name::ConditionKind;
use rectifier_core::policy::{FixCall, UnitCall};
use rectifier_core::switches::Step;
use tokio::task::JoinSet;

use crate::context::Context;
use crate::persist::{Accepted, Swap};
use crate::trouble::chain;

/// What the caller has to do about a remedy that was to begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Nothing: it is under way, and its end will be heard.
    UnderWay,
    /// It came to its end at once.
    Ended(Ended),
    /// The grant's swap was lost: the reboot did not begin, and the grant is not used up.
    NotAccepted {
        /// Which grant.
        grant: String,
    },
}

/// Begins it. The remedies' own waiting goes on in `remedies`, beside the passes that follow.
pub(crate) async fn begin(
    ctx: &Context,
    remedies: &mut JoinSet<Ended>,
    begin: Begin,
    swap: Swap,
) -> Begun {
    match begin {
        Begin::Unit { problem, call } => unit(ctx, remedies, problem, call),
        Begin::Fix { problem, call } => fix(ctx, remedies, problem, call),
        Begin::Reboot { problem, grant } => match swap {
            Swap::Written(Some(accepted)) => reboot(ctx, problem, &grant, &accepted).await,
            Swap::Lost => Begun::NotAccepted { grant },
            // No API, no reboot: without its word the control plane may not know that this node is about to go.
            Swap::Written(None) | Swap::Unknown | Swap::None => ended(
                problem,
                Err("the API server did not confirm the acceptance of the grant".to_owned()),
            ),
        },
    }
}

fn ended(problem: ConditionKind, result: Result<String, String>) -> Begun {
    Begun::Ended(Ended { problem, result })
}

fn unit(
    ctx: &Context,
    remedies: &mut JoinSet<Ended>,
    problem: ConditionKind,
    call: UnitCall,
) -> Begun {
    if ctx.switches.skips(Step::Heal) {
        return ended(problem, Ok("switched off".to_owned()));
    }
    let machine = ctx.machine.clone();
    remedies.spawn(async move {
        let result = machine.perform(&call).await.map_err(|error| chain(&error));
        Ended { problem, result }
    });
    Begun::UnderWay
}

fn fix(
    ctx: &Context,
    remedies: &mut JoinSet<Ended>,
    problem: ConditionKind,
    call: FixCall,
) -> Begun {
    if ctx.switches.skips(Step::Heal) {
        return ended(problem, Ok("switched off".to_owned()));
    }
    let Some(declared) = ctx.config.systemd.fixes.get(&call.name) else {
        return ended(problem, Err(format!("fix {} is not declared", call.name)));
    };
    let Some(filled) = declared.filled(&call.args) else {
        return ended(
            problem,
            Err(format!("fix {} misses an argument", call.name)),
        );
    };
    let machine = ctx.machine.clone();
    remedies.spawn(async move {
        let result = machine
            .run_fix(&call.name, &filled)
            .await
            .map_err(|error| chain(&error));
        Ended { problem, result }
    });
    Begun::UnderWay
}

/// A reboot that a person wants has no episode in which its failure would be told: it stands in the log.
async fn reboot(ctx: &Context, problem: ConditionKind, grant: &str, accepted: &Accepted) -> Begun {
    let begun = carry_out(ctx, problem, grant, accepted).await;
    if let Begun::Ended(Ended {
        result: Err(error), ..
    }) = &begun
    {
        tracing::warn!(grant, error, "no reboot");
    }
    begun
}

async fn carry_out(
    ctx: &Context,
    problem: ConditionKind,
    grant: &str,
    accepted: &Accepted,
) -> Begun {
    // Late is never: the control plane counts from the acceptance, and may be at its next rung by now.
    if !accepted.allows(grant) {
        return ended(
            problem,
            Err("the grant was accepted too long ago to be used".to_owned()),
        );
    }
    if ctx.switches.skips(Step::Heal) {
        return Begun::UnderWay;
    }
    tracing::info!(grant, "rebooting");
    match ctx.machine.reboot().await {
        Ok(()) => Begun::UnderWay,
        Err(error) => ended(problem, Err(chain(&error))),
    }
}
