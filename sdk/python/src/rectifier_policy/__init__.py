"""Write Rectifier policies in Python.

A policy is a module ``policy.py`` with a function ``decide``::

    from rectifier_policy import Decision, Observation, Remedy

    def decide(seen: Observation, settings: dict) -> Decision:
        restart = Remedy.restart("containerd.service")
        if seen.episode.tried(restart) == 0:
            return restart.because("containerd has not been restarted yet")
        return Remedy.escalate().because("a restart did not help")

It may also have

- a dataclass ``Settings``: then ``decide`` gets one of these, and what does not fit is refused
  (:func:`rectifier_policy.settings.read`); without it ``decide`` gets a ``dict``;
- a function ``check(settings)``, asked once when the policy is loaded: it raises if the settings
  are not usable.

Whatever is raised becomes the answer that nothing can be decided, with the type and the text of
the exception. :class:`PolicyError` is passed on with its text alone.

The types are those of the contract, ``sdk/wit/policy.wit``, with its words on each field. What is
added are questions that every policy asks, and short ways to answer.
"""

from . import log
from .answers import (
    Decision,
    Decline,
    Escalate,
    FixCall,
    Reboot,
    Remedy,
    Replace,
    UnitCall,
    UnitVerb,
    Wait,
)
from .errors import PolicyError
from .settings import refuse_unknown
from .types import (
    Attempt,
    ClusterView,
    Condition,
    Episode,
    EventCount,
    Fix,
    Freshness,
    Gate,
    Group,
    Moment,
    Node,
    NodeView,
    Observation,
    Outcome,
    Server,
    Status,
    Unit,
)

__all__ = [
    "Attempt",
    "ClusterView",
    "Condition",
    "Decision",
    "Decline",
    "Episode",
    "Escalate",
    "EventCount",
    "Fix",
    "FixCall",
    "Freshness",
    "Gate",
    "Group",
    "Moment",
    "Node",
    "NodeView",
    "Observation",
    "Outcome",
    "PolicyError",
    "Reboot",
    "Remedy",
    "Replace",
    "Server",
    "Status",
    "Unit",
    "UnitCall",
    "UnitVerb",
    "Wait",
    "log",
    "refuse_unknown",
]
