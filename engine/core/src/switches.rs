//! The steps of the loop, each of which a test build can switch off to show that the scenarios notice.

/// One of the eight steps of the repair loop that an engine carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// 1. The problem is detected (by Node Problem Detector: nothing of ours to switch off).
    Detect,
    /// 2. The node engine hears of it.
    PassOn,
    /// 3. The node engine carries the remedy out.
    Heal,
    /// 4. What the node cannot fix reaches the control plane.
    Escalate,
    /// 5. The node is cordoned.
    Cordon,
    /// 6. A similar server is created.
    Create,
    /// 7. The node is drained.
    Drain,
    /// 8. The server and its Node are deleted.
    Delete,
}

impl Step {
    /// In the loop's order.
    pub const ALL: [Step; 8] = [
        Step::Detect,
        Step::PassOn,
        Step::Heal,
        Step::Escalate,
        Step::Cordon,
        Step::Create,
        Step::Drain,
        Step::Delete,
    ];

    /// The name on command lines.
    pub fn label(self) -> &'static str {
        match self {
            Step::Detect => "detect",
            Step::PassOn => "pass-on",
            Step::Heal => "heal",
            Step::Escalate => "escalate",
            Step::Cordon => "cordon",
            Step::Create => "create",
            Step::Drain => "drain",
            Step::Delete => "delete",
        }
    }

    /// The step of that name, if there is one.
    pub fn from_label(label: &str) -> Option<Step> {
        Step::ALL.into_iter().find(|step| step.label() == label)
    }
}

/// Which step is switched off. Shipped builds have no way to set one: only the daemon's feature
/// `test-switches` reads it from the environment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Switches {
    off: Option<Step>,
}

impl Switches {
    /// All steps but this one are carried out.
    pub fn without(step: Step) -> Self {
        Self { off: Some(step) }
    }

    /// Is this step switched off?
    pub fn skips(self, step: Step) -> bool {
        self.off == Some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_known_by_its_own_name() {
        for step in Step::ALL {
            assert_eq!(Step::from_label(step.label()), Some(step));
        }
        assert_eq!(Step::from_label("detec"), None);
        assert_eq!(Step::from_label(""), None);
    }

    #[test]
    fn only_the_step_that_is_switched_off_is_left_out() {
        for off in Step::ALL {
            for step in Step::ALL {
                assert_eq!(Switches::without(off).skips(step), step == off);
                assert!(!Switches::default().skips(step));
            }
        }
    }
}
