"""Between the component's runtime and a policy: for ``rectifier_component`` alone.

The runtime makes each value of the contract by calling what stands under the type's name in the
generated module ``wit_world.imports.types``. It is given what makes the SDK's own types there, so
nothing is made twice. What goes out is told apart by class, and read by attributes.
"""

from __future__ import annotations

import json
from dataclasses import fields
from types import ModuleType, SimpleNamespace

from . import answers, types
from .answers import Decision, FixCall, Remedy, UnitCall, UnitVerb, Wait
from .errors import PolicyError
from .settings import read

TYPE_CHECKING = False  # `typing` itself would lie in every component
if TYPE_CHECKING:
    from typing import Any

ENUMS = (types.Status, types.Freshness, types.Outcome, UnitVerb)


def same(value: Any) -> Any:
    """What is its own case already."""
    return value


class Case:
    """A case of the remedy, the class of which the runtime knows.

    Coming in, it is called with the payload, and gives the SDK's own remedy. Going out, it is one
    of these, with the payload as ``value``.
    """

    own: Any
    value: Any

    def __new__(cls, *payload: Any) -> Any:
        return cls.own(*payload)

    @classmethod
    def out(cls, value: Any) -> Any:
        case = object.__new__(cls)
        case.value = value
        return case


def _case(name: str, own: Any) -> type[Case]:
    return type(f"Remedy_{name}", (Case,), {"own": staticmethod(own)})


CASES: dict[type, type[Case]] = {
    answers.Decline: _case("Decline", answers.Decline),
    Wait: _case("Wait", Wait),
    UnitCall: _case("Unit", same),
    FixCall: _case("Fix", same),
    answers.Reboot: _case("Reboot", answers.Reboot),
    answers.Escalate: _case("Escalate", answers.Escalate),
    answers.Replace: _case("Replace", answers.Replace),
}


def pair(name: str, value: str) -> tuple[str, str]:
    return (name, value)


def node(
    name: Any,
    pool: Any,
    zone: Any,
    labels: Any,
    ready: Any,
    unschedulable: Any,
    uptime: Any,
    pods: Any,
) -> types.Node:
    return types.Node(name, pool, zone, dict(labels), ready, unschedulable, uptime, pods)


def fix_call(name: str, args: list[tuple[str, str]]) -> FixCall:
    return FixCall(name, dict(args))


def observation(
    id: Any,
    now: Any,
    node: Any,
    site: Any,
    episode: Any,
    other_episodes: Any,
    conditions: Any,
    events: Any,
    facts: Any,
) -> types.Observation:
    return types.Observation(
        id, now, node, site, episode, other_episodes, conditions, events, dict(facts)
    )


RECORDS: dict[str, Any] = {
    "Pair": pair,
    "Node": node,
    "FixCall": fix_call,
    "UnitCall": UnitCall,
    "Observation": observation,
    "Decision": Decision,
    **{
        cls.__name__: cls
        for cls in (
            types.Moment,
            types.Condition,
            types.EventCount,
            types.Attempt,
            types.Episode,
            types.Unit,
            types.Fix,
            types.NodeView,
            types.Group,
            types.Server,
            types.ClusterView,
        )
    },
}

VARIANTS: dict[str, Any] = {
    "Gate_Open": types.Gate,
    "Gate_Closed": types.Gate,
    "Site_Node": same,
    "Site_ControlPlane": same,
    **{case.__name__: case for case in CASES.values()},
}


def install(generated: ModuleType) -> None:
    """Puts what makes the SDK's types where the runtime will look for it.

    Raises ``TypeError`` if the contract that the component is built for has other types or fields
    than this SDK: the build fails then, not a decision.
    """
    theirs = {name for name, it in vars(generated).items() if _is_ours(it, generated.__name__)}
    own = {*RECORDS, *VARIANTS, *(enum.__name__ for enum in ENUMS)}
    if theirs != own:
        raise TypeError(f"the contract has other types than the SDK: {sorted(theirs ^ own)}")
    for name, make in RECORDS.items():
        _same_names(name, list(getattr(generated, name).__dataclass_fields__), _parameters(make))
        setattr(generated, name, make)
    for name, make in VARIANTS.items():
        setattr(generated, name, make)
    for enum in ENUMS:
        cases = [case.name for case in getattr(generated, enum.__name__)]
        _same_names(enum.__name__, cases, [case.name for case in enum])
        # the runtime calls it with the case's number
        setattr(generated, enum.__name__, tuple(enum).__getitem__)


def _is_ours(it: object, module: str) -> bool:
    return isinstance(it, type) and it.__module__ == module


def _parameters(make: Any) -> list[str]:
    if isinstance(make, type):
        return [each.name for each in fields(make)]
    return list(make.__code__.co_varnames[: make.__code__.co_argcount])


def _same_names(name: str, theirs: list[str], own: list[str]) -> None:
    if theirs != own:
        raise TypeError(f"the contract's {name} has {theirs}, the SDK's {own}")


class Policy:
    """The functions of the author's module, with settings as text and decisions checked."""

    def __init__(self, module: ModuleType) -> None:
        self.decides = module.decide
        self.checks = getattr(module, "check", None)
        self.settings = getattr(module, "Settings", None)

    def read(self, settings: str) -> Any:
        parsed = json.loads(settings)
        return parsed if self.settings is None else read(self.settings, parsed)

    def check(self, settings: str) -> None:
        said = self.read(settings)
        if self.checks is not None:
            self.checks(said)

    def decide(self, seen: types.Observation, settings: str) -> Any:
        return outgoing(self.decides(seen, self.read(settings)))


def outgoing(decision: object) -> Any:
    """As the runtime reads it. What it could not read would be a trap without a word: raises
    :class:`PolicyError` for it instead."""
    if isinstance(decision, Remedy):
        raise PolicyError(f"decide gave {decision!r} without a reason: say why with .because(…)")
    if not isinstance(decision, Decision):
        raise PolicyError(f"decide gave {decision!r}, which is no Decision")
    return SimpleNamespace(
        remedy=_outgoing_remedy(decision.remedy),
        reason=_text("reason", decision.reason),
        settle=None if decision.settle is None else _seconds("settle", decision.settle),
        notes=_pairs("notes", decision.notes),
    )


def _outgoing_remedy(remedy: Remedy) -> Any:
    case = CASES.get(type(remedy))
    if case is None:
        raise PolicyError(f"the decision's remedy is {remedy!r}, which is none")
    if isinstance(remedy, Wait):
        return case.out(_seconds("wait", remedy.seconds))
    if isinstance(remedy, UnitCall):
        if not isinstance(remedy.verb, UnitVerb):
            raise PolicyError(f"the verb is {remedy.verb!r}, which is no UnitVerb")
        verb = SimpleNamespace(value=list(UnitVerb).index(remedy.verb))
        return case.out(SimpleNamespace(name=_text("unit", remedy.name), verb=verb))
    if isinstance(remedy, FixCall):
        args = _pairs("args", remedy.args)
        return case.out(SimpleNamespace(name=_text("fix", remedy.name), args=args))
    return case.out(None)


def _pairs(place: str, pairs: dict[str, str]) -> list[Any]:
    return [
        SimpleNamespace(name=_text(place, name), value=_text(f"{place}.{name}", value))
        for name, value in pairs.items()
    ]


def _text(place: str, value: object) -> str:
    if not isinstance(value, str):
        raise PolicyError(f"{place} is {value!r}, which is no text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise PolicyError(f"{place} is {value!r}, which is no Unicode text") from None
    return value


def _seconds(place: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise PolicyError(f"{place} is {value!r}, which is no number of seconds")
    return value
