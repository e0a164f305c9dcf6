"""What a policy sees: the contract's types, and the questions that every policy asks.

A time or an age is in whole seconds, and never negative. Every field has a default, that of a
healthy node or of a problem that is there, so that a test says only what matters to it; what an
engine shows is always complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from .answers import Remedy

TYPE_CHECKING = False  # `typing` itself would lie in every component
if TYPE_CHECKING:
    from typing import Any


class Status(Enum):
    """The status of a node condition as Kubernetes has it: ``True``, ``False``, ``Unknown``.

    For a problem's condition ``YES`` means that the problem is there. ``UNKNOWN`` is neither
    health nor illness.
    """

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Freshness(Enum):
    """How far a view can be trusted. Lists of a view that is not ``FRESH`` say nothing by being
    empty."""

    FRESH = "fresh"
    """Read within its source's interval."""
    STALE = "stale"
    """Read, but longer ago."""
    MISSING = "missing"
    """Never read, or the source cannot be reached."""


class Outcome(Enum):
    """What became of a remedy: always observed afterwards, never the return of a call."""

    RUNNING = "running"
    """Under way, or within its settling time."""
    RECOVERED = "recovered"
    """The problem went away and stayed away for the settling time. (It may have come back.)"""
    NO_EFFECT = "noEffect"
    """It was carried out, and the problem is still there."""
    FAILED = "failed"
    """It could not be carried out; ``Attempt.detail`` says why."""
    REFUSED = "refused"
    """A guard rail refused it; ``Attempt.detail`` names it. Nothing was done."""
    UNKNOWN = "unknown"
    """The engine was away and cannot tell."""


@dataclass
class Moment:
    """A moment in the time zone of the node's pool (UTC where the pool names none)."""

    unix_seconds: int = 0
    """Seconds since 1970-01-01T00:00Z."""
    weekday: int = 4
    """1 (Monday) to 7 (Sunday)."""
    minute_of_day: int = 0
    """0 (midnight) to 1439."""


@dataclass
class Gate:
    """May the engine do it now? Advice against a closed gate is recorded as ``REFUSED`` and not
    carried out."""

    closed_by: str | None = None
    """The guard rail that says no, for people: a policy asks ``is_open``, never for the text.
    ``None`` if the gate is open."""

    @property
    def is_open(self) -> bool:
        """May it be done now?"""
        return self.closed_by is None


@dataclass
class Condition:
    """A node condition."""

    kind: str
    """Its type, e.g. ``KernelDeadlock``."""
    status: Status = Status.YES
    reason: str = ""
    """Machine-readable cause as its source gives it, e.g. ``DockerHung``. May be empty."""
    message: str = ""
    """Text for people as its source gives it. May be empty, and may have been cut by it."""
    held: int = 60
    """For how long the engine has seen it with this status. Not the source's own transition time,
    which moves when the source restarts."""
    source: str = "npd"
    """Who reported it: ``npd`` (read on the node), ``node-status`` (read at the API server); or who
    told the node engine, which makes conditions by the operator's rules: ``npd-counter``,
    ``systemd``."""


@dataclass
class EventCount:
    """Events on this node that bear one reason, as Node Problem Detector counts them."""

    reason: str
    """E.g. ``OOMKilling``."""
    message: str = ""
    """The message of the last one; empty where it is only counted."""
    count: int = 1
    """How many there were in the window; at least 1."""
    window: int = 3600
    """Over how long they were counted."""
    last_seen: int = 0
    """How long ago the last one was seen; at most ``window``."""


@dataclass
class Attempt:
    """One remedy that was tried in an episode."""

    remedy: Remedy
    age: int = 60
    """How long ago it began."""
    outcome: Outcome = Outcome.NO_EFFECT
    detail: str = ""
    """More for people: the result of systemd's job, the guard rail. May be empty."""


@dataclass
class Episode:
    """One problem from its first sight until it has been gone for a quiet time."""

    problem: Condition
    """The problem as it stands now; its status may be ``NO`` while the quiet time runs."""
    age: int = 60
    """Since its first sight."""
    recurrences: int = 0
    """How often it went away and came back within this episode."""
    attempts: list[Attempt] = field(default_factory=list)
    """Of both engines, as far as this site knows them. Newest first, at most 32."""

    def tried(self, remedy: Remedy) -> int:
        """How often exactly this was carried out in this episode, or begun. What was refused was
        not."""
        return sum(attempt.outcome != Outcome.REFUSED for attempt in self.attempts_at(remedy))

    def attempts_at(self, remedy: Remedy) -> Iterator[Attempt]:
        """All attempts at exactly this remedy, the newest first."""
        return (attempt for attempt in self.attempts if attempt.remedy == remedy)

    def running(self) -> Attempt | None:
        """The remedy that is under way, if one is."""
        running = (attempt for attempt in self.attempts if attempt.outcome == Outcome.RUNNING)
        return next(running, None)

    def last(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[0] if self.attempts else None


@dataclass
class Node:
    """The node that has the problem."""

    name: str = "node-1"
    pool: str | None = None
    """The repair pool that selects it. ``None`` if none does, or if this site cannot know it."""
    zone: str = ""
    """Its label ``topology.kubernetes.io/zone``; empty if it has none."""
    labels: dict[str, str] = field(default_factory=dict)
    ready: Status = Status.YES
    """Its condition ``Ready``."""
    unschedulable: bool = False
    """Is it cordoned, by whomever?"""
    uptime: int | None = None
    """Since its boot. ``None`` where this site cannot know it."""
    pods: int = 0
    """Pods bound to it; 0 where this site does not count them."""


@dataclass
class Unit:
    """A systemd unit that the operator allows policies to touch."""

    name: str
    """With its suffix, e.g. ``containerd.service``."""
    active_state: str = "active"
    """systemd's ``ActiveState``: ``active``, ``inactive``, ``failed``, ``activating``,
    ``deactivating``, ``reloading``, …"""
    sub_state: str = "running"
    """systemd's ``SubState``, e.g. ``running``, ``dead``, ``auto-restart``."""
    restarts: int = 0
    """systemd's ``NRestarts``: how often systemd itself restarted it. 0 for what is no service."""
    held: int = 60
    """For how long it has been in this active state."""
    gate: Gate = field(default_factory=Gate)
    """May it be touched now?"""


@dataclass
class Fix:
    """A fix: a command that the operator's configuration declares by name."""

    name: str
    params: list[str] = field(default_factory=list)
    """The names of the parameters that it takes."""
    gate: Gate = field(default_factory=Gate)
    """May it be run now?"""


@dataclass
class NodeView:
    """What only the engine on the node sees."""

    units: list[Unit] = field(default_factory=list)
    """Those that the operator allows and that the policy's metadata need. A unit that is not here
    may not be touched."""
    fixes: list[Fix] = field(default_factory=list)
    """Those that the operator declares and that the policy's metadata need."""
    reboot: Gate = field(default_factory=Gate)
    """May a reboot be asked for now?"""
    freshness: Freshness = Freshness.FRESH
    """Of this view. If ``MISSING``, the lists are empty and the gate is closed."""

    def unit(self, name: str) -> Unit | None:
        """The unit of this name, if the operator allows it and the metadata need it."""
        return next((unit for unit in self.units if unit.name == name), None)

    def fix(self, name: str) -> Fix | None:
        """The fix of this name, likewise."""
        return next((fix for fix in self.fixes if fix.name == name), None)


@dataclass
class Group:
    """Nodes of one group, counted. ``sick`` and ``repairing`` overlap."""

    nodes: int = 1
    sick: int = 1
    """With an open problem."""
    repairing: int = 0
    """In a repair of the control plane's."""


@dataclass
class Server:
    """The node's server, as the cloud tells it."""

    status: str = "ACTIVE"
    """Nova's status, e.g. ``ACTIVE``, ``SHUTOFF``, ``ERROR``. No status is proof of life or of
    death."""
    task: str | None = None
    """Nova's task state, e.g. ``rebooting``. ``None`` if no task runs."""
    fault: str | None = None
    """Nova's fault message. ``None`` if it reports none."""
    age: int = 86400
    """Since its creation."""
    proven_dead: bool = False
    """The machine certainly runs no more, by the engine's own rule."""


@dataclass
class ClusterView:
    """What only the control plane sees."""

    pool: Group = field(default_factory=Group)
    """The node's pool, the node itself included."""
    zone: Group = field(default_factory=Group)
    """Its zone within the pool, likewise."""
    same_problem: Group = field(default_factory=Group)
    """The nodes of the pool that have the same kind of problem, the node itself included."""
    server: Server | None = None
    """``None`` if the cloud could not be asked, or if it is not certain which server the node
    is."""
    requested_by: str = "node-engine"
    """Who asked for the repair: ``node-engine``; ``conditions`` (nobody: the control plane saw the
    condition itself); else a person's user name."""
    reboot: Gate = field(default_factory=Gate)
    """May it be rebooted now?"""
    replace: Gate = field(default_factory=Gate)
    """May it be replaced now?"""
    freshness: Freshness = Freshness.FRESH
    """Of this view. If ``MISSING``, the groups count nothing and both gates are closed."""


@dataclass
class Observation:
    """All that one decision may rest on, at one moment."""

    id: str = "observation-1"
    """Unique for this asking; random numbers are seeded from it. Not to be parsed."""
    now: Moment = field(default_factory=Moment)
    node: Node = field(default_factory=Node)
    site: NodeView | ClusterView = field(default_factory=NodeView)
    """Where the policy is asked, and what only that site sees."""
    episode: Episode = field(default_factory=lambda: Episode(Condition("KubeletUnhealthy")))
    """The problem to decide on."""
    other_episodes: list[Episode] = field(default_factory=list)
    """Other open problems of this node."""
    conditions: list[Condition] = field(default_factory=list)
    """All conditions of the node as this site sees them, the healthy ones too."""
    events: list[EventCount] = field(default_factory=list)
    """Recent events about the node; empty where this site does not read them."""
    facts: dict[str, str] = field(default_factory=dict)
    """The only open field: more about the node, by names listed in ``sdk/facts.md``, as far as the
    policy's metadata need them. A name is never given a second meaning; one that cannot be told
    now is absent."""

    @property
    def problem(self) -> str:
        """The kind of problem to decide on."""
        return self.episode.problem.kind

    def problem_is_there(self) -> bool:
        """Is the problem there? Not if it is gone, and not if nobody knows."""
        return self.episode.problem.status == Status.YES

    def is_fresh(self) -> bool:
        """Can the site's own view be trusted?"""
        return self.site.freshness == Freshness.FRESH

    def on_node(self) -> NodeView | None:
        """What the node's engine sees, if it is the one that asks."""
        return self.site if isinstance(self.site, NodeView) else None

    def in_control_plane(self) -> ClusterView | None:
        """What the control plane sees, if it is the one that asks."""
        return self.site if isinstance(self.site, ClusterView) else None

    def condition(self, kind: str) -> Condition | None:
        """The condition of this kind."""
        return next((seen for seen in self.conditions if seen.kind == kind), None)

    def label(self, name: str) -> str | None:
        """The value of the node's label."""
        return self.node.labels.get(name)

    def fact(self, name: str) -> str | None:
        """The fact of this name, if it can be told and the metadata need it."""
        return self.facts.get(name)

    def to_json(self) -> dict[str, Any]:
        """As ``sdk/schema/v0.1/question.json`` has it: names in camelCase, a case with a payload as
        a ``dict`` with one key, and what is ``None`` as an absent key."""
        from . import json_form

        return json_form.write_observation(self)

    @staticmethod
    def from_json(written: object) -> Observation:
        """Of its JSON form, for tests: what ``rectifier policy run --print-observation`` prints.

        Keys that are not known are ignored, as the contract has it; what is absent is as in
        ``Observation()``. Raises ``ValueError`` for what does not fit.
        """
        from . import json_form

        return json_form.read_observation(written)
