//! The phases of a repair, and which may follow which.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::room::Side;

/// Where a repair stands. A phase is written before anything of it is done, so that it always names
/// everything whose effects may exist.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum Phase {
    /// The node's engine works on it. Ends when it withdraws, asks for more, or is overdue.
    #[default]
    HealingInNode,
    /// The control plane's policy is asked what to do. Nothing is touched.
    Judging,
    /// The node is being cordoned, for a reboot or a replacement. Ends when the cordon is seen.
    Cordoning,
    /// Pods leave before a reboot. Ends when none is left.
    RebootDraining,
    /// A reboot is offered to the node's engine. Ends when it accepts, or when the offer expires.
    GrantOffered,
    /// The offer was accepted. Ends with a new boot id, or at the deadline.
    Rebooting,
    /// The cloud starts or hard-reboots the server: the node's engine did not. Ends with a new boot id, or at the deadline.
    HardRebooting,
    /// Rebooted; the problem is watched. Ends when it stays away, or when it is still there at the deadline.
    Settling,
    /// Healthy again; the cordon is being taken away. Ends when that is seen.
    Uncordoning,
    /// The replacement's ports are being made. Ends when all are seen, or cannot be made in time.
    CreatingPorts,
    /// The replacement is being made. Ends when exactly one server bears our tag, or none can be made in time.
    CreatingServer,
    /// The replacement boots and joins. Ends when its node is Ready, or has failed.
    Joining,
    /// An attempt failed: its server and ports are being deleted. Ends when none is seen.
    Discarding,
    /// **The commit point**: the replacement is adopted. From here only forward. (Where a pool lets a sick server go first, as no
    /// host can take both, the draining and the server's deletion come before its replacement is made, and the line is that
    /// deletion.)
    Committed,
    /// Pods leave the sick node. Ends when none is left, or when nobody there can end those that are.
    Draining,
    /// The machine does not end its pods: it is being stopped. Ends when its host has proven that it is off.
    Stopping,
    /// The sick node's volumes are let go, and its pods if it is proven to be off. Ends when it holds none any more.
    Detaching,
    /// Who made the pods that left makes them Ready elsewhere. Ends when all have so many as before, or after a while.
    AwaitingOwners,
    /// The sick server and its ports are being deleted. Ends when the cloud no longer lists them.
    DeletingServer,
    /// The sick Node is being deleted. Ends when it is gone.
    DeletingNode,
    /// Before the commit something called it off: all of ours is being removed, then uncordoned.
    RollingBack,
    /// A person has to decide. Nothing is touched; our cordon, if there is one, stays, so that no pod is sent to a node
    /// that nobody could heal. Before the commit it ends when the problem goes away or the person uncordons (then all
    /// of ours is taken back), and, before or after it, when the person asks for another try.
    NeedsHuman,
    /// Healed without a replacement. Final.
    Recovered,
    /// Replaced. Final.
    Replaced,
    /// Called off, everything taken back. Final.
    Cancelled,
}

impl Phase {
    /// In the order of the story.
    pub const ALL: [Phase; 25] = [
        Phase::HealingInNode,
        Phase::Judging,
        Phase::Cordoning,
        Phase::RebootDraining,
        Phase::GrantOffered,
        Phase::Rebooting,
        Phase::HardRebooting,
        Phase::Settling,
        Phase::Uncordoning,
        Phase::CreatingPorts,
        Phase::CreatingServer,
        Phase::Joining,
        Phase::Discarding,
        Phase::Committed,
        Phase::Draining,
        Phase::Stopping,
        Phase::Detaching,
        Phase::AwaitingOwners,
        Phase::DeletingServer,
        Phase::DeletingNode,
        Phase::RollingBack,
        Phase::NeedsHuman,
        Phase::Recovered,
        Phase::Replaced,
        Phase::Cancelled,
    ];

    /// The phases that may follow this one; everything else is refused before it is written.
    pub fn followers(self) -> &'static [Phase] {
        match self {
            Phase::HealingInNode => &[
                Phase::Judging,
                Phase::Cordoning,
                Phase::Recovered,
                Phase::Cancelled,
            ],
            Phase::Judging => &[
                Phase::Cordoning,
                Phase::Recovered,
                Phase::NeedsHuman,
                Phase::RollingBack,
                Phase::Cancelled,
                Phase::CreatingPorts,
                Phase::Uncordoning,
            ],
            Phase::Cordoning => &[
                Phase::RebootDraining,
                Phase::CreatingPorts,
                Phase::RollingBack,
            ],
            Phase::RebootDraining => &[
                Phase::GrantOffered,
                Phase::HardRebooting,
                Phase::RollingBack,
                Phase::NeedsHuman,
            ],
            Phase::GrantOffered => &[Phase::Rebooting, Phase::Judging, Phase::RollingBack],
            Phase::Rebooting | Phase::HardRebooting => &[Phase::Settling, Phase::Judging],
            Phase::Settling => &[Phase::Uncordoning, Phase::Judging],
            Phase::Uncordoning => &[Phase::Recovered],
            Phase::CreatingPorts => &[Phase::CreatingServer, Phase::Discarding, Phase::RollingBack],
            Phase::CreatingServer => &[Phase::Joining, Phase::Discarding, Phase::RollingBack],
            Phase::Joining => &[Phase::Committed, Phase::Discarding, Phase::RollingBack],
            Phase::Discarding => &[
                Phase::CreatingPorts,
                Phase::Draining,
                Phase::RollingBack,
                Phase::NeedsHuman,
            ],
            Phase::Committed => &[Phase::Draining, Phase::NeedsHuman],
            Phase::Draining => &[
                Phase::Stopping,
                Phase::Detaching,
                Phase::AwaitingOwners,
                Phase::Discarding,
                Phase::RollingBack,
                Phase::NeedsHuman,
            ],
            Phase::Stopping => &[
                Phase::Draining,
                Phase::Detaching,
                Phase::Discarding,
                Phase::RollingBack,
                Phase::NeedsHuman,
            ],
            Phase::Detaching => &[
                Phase::Stopping,
                Phase::AwaitingOwners,
                Phase::Discarding,
                Phase::RollingBack,
                Phase::NeedsHuman,
            ],
            Phase::AwaitingOwners => &[
                Phase::DeletingServer,
                Phase::Discarding,
                Phase::RollingBack,
                Phase::NeedsHuman,
            ],
            Phase::DeletingServer => {
                &[Phase::DeletingNode, Phase::CreatingPorts, Phase::NeedsHuman]
            }
            Phase::DeletingNode => &[Phase::Replaced, Phase::NeedsHuman],
            Phase::RollingBack => &[Phase::Cancelled],
            Phase::NeedsHuman => &[
                Phase::Judging,
                Phase::RollingBack,
                Phase::Cancelled,
                Phase::Draining,
                Phase::Committed,
            ],
            Phase::Recovered | Phase::Replaced | Phase::Cancelled => &[],
        }
    }

    /// Nothing more will be done; the record is archived and the name set free.
    pub fn is_final(self) -> bool {
        self.followers().is_empty()
    }

    /// May a repair that is on this side of the point of no return be in this phase? With a person it may be on any.
    pub fn fits(self, side: Side) -> bool {
        match self {
            Phase::NeedsHuman => true,
            Phase::HealingInNode
            | Phase::Judging
            | Phase::Cordoning
            | Phase::RebootDraining
            | Phase::GrantOffered
            | Phase::Rebooting
            | Phase::HardRebooting
            | Phase::Settling
            | Phase::Uncordoning
            | Phase::Recovered => side == Side::Before,
            Phase::RollingBack => !side.is_past_return(),
            // a person may do without a replacement for a server that has gone first
            Phase::Cancelled => side != Side::Committed,
            Phase::CreatingPorts | Phase::CreatingServer | Phase::Joining | Phase::Discarding => {
                [Side::Before, Side::RoomMade].contains(&side)
            }
            Phase::Draining | Phase::Stopping | Phase::Detaching | Phase::AwaitingOwners => {
                side != Side::Before
            }
            Phase::DeletingServer => side.is_past_return(),
            Phase::Committed | Phase::DeletingNode | Phase::Replaced => side == Side::Committed,
        }
    }

    /// The diagram of `engine/README.md`, in Mermaid's syntax.
    pub fn diagram() -> String {
        let mut lines = vec![
            "stateDiagram-v2".to_owned(),
            "    [*] --> HealingInNode".to_owned(),
            "    [*] --> Judging".to_owned(),
        ];
        for phase in Phase::ALL {
            for next in phase.followers() {
                lines.push(format!("    {phase:?} --> {next:?}"));
            }
            if phase.is_final() {
                lines.push(format!("    {phase:?} --> [*]"));
            }
        }
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDES: [Side; 4] = [
        Side::Before,
        Side::MakingRoom,
        Side::RoomMade,
        Side::Committed,
    ];

    #[test]
    fn there_is_one_commit_point() {
        for phase in Phase::ALL {
            for next in phase.followers() {
                let begins = !phase.fits(Side::Committed) && next.fits(Side::Committed);
                // the room for it is made by the same steps as a commit is followed by
                let makes_room = (phase, *next) == (Phase::Discarding, Phase::Draining);
                if begins && *next != Phase::NeedsHuman && !makes_room {
                    assert_eq!((phase, *next), (Phase::Joining, Phase::Committed));
                }
            }
            if phase.is_final() {
                assert_eq!(phase.fits(Side::Committed), phase == Phase::Replaced);
                let given_up = phase == Phase::Cancelled;
                assert_eq!(phase.fits(Side::RoomMade), given_up, "{phase:?}");
            }
        }
    }

    /// Wherever a repair may stand, there is a step on the same side, or over the line.
    #[test]
    fn on_no_side_is_a_phase_without_a_way_on() {
        for (number, side) in SIDES.into_iter().enumerate() {
            let stands = |phase: &Phase| !phase.is_final() && phase.fits(side);
            for phase in Phase::ALL.into_iter().filter(stands) {
                let mut next = phase.followers().iter();
                let goes_on = next.any(|next| SIDES[number..].iter().any(|side| next.fits(*side)));
                assert!(goes_on, "{phase:?} {side:?}");
            }
        }
    }

    /// `cargo run --package rectifier-core --example phases` prints what belongs there.
    #[test]
    fn the_readme_draws_these_phases() {
        let readme = include_str!("../../../README.md");
        let diagram = Phase::diagram();
        assert!(diagram.starts_with("stateDiagram-v2\n"), "{diagram}");
        assert!(readme.contains(&diagram), "{diagram}");
    }

    #[test]
    fn every_phase_can_end() {
        let mut ends: Vec<Phase> = Phase::ALL
            .into_iter()
            .filter(|phase| phase.is_final())
            .collect();
        while let Some(more) = Phase::ALL.into_iter().find(|phase| {
            !ends.contains(phase) && phase.followers().iter().any(|next| ends.contains(next))
        }) {
            ends.push(more);
        }
        assert_eq!(ends.len(), Phase::ALL.len());
    }
}
