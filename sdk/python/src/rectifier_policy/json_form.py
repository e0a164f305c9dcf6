"""The contract's JSON form: names in camelCase, a list of pairs as an object, a case with a payload
as an object with one key, and what is absent as an absent key."""

from __future__ import annotations

from dataclasses import MISSING, fields
from enum import Enum

from . import answers, types
from .answers import Decline, Escalate, FixCall, Reboot, Remedy, Replace, UnitCall, UnitVerb, Wait
from .types import Gate, NodeView, Observation

TYPE_CHECKING = False  # `typing` itself would lie in every component
if TYPE_CHECKING:
    from typing import Any

_PLAIN = {"decline": Decline, "reboot": Reboot, "escalate": Escalate, "replace": Replace}
_NAMES = {case: name for name, case in _PLAIN.items()}


def camel(name: str) -> str:
    """``other_episodes`` is ``otherEpisodes`` there."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def write(value: Any) -> Any:
    """Any value of the contract as JSON has it."""
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list):
        return [write(item) for item in value]
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, Gate):
        return "open" if value.is_open else {"closed": value.closed_by}
    if isinstance(value, Remedy):
        return _write_remedy(value)
    if isinstance(value, Observation):
        return write_observation(value)
    return _write_record(value)


def write_observation(seen: Observation) -> dict[str, Any]:
    """See :meth:`Observation.to_json`."""
    written = _write_record(seen)
    on_node = isinstance(seen.site, NodeView)
    written["site"] = {"node" if on_node else "controlPlane": written["site"]}
    return written


def _write_record(value: Any) -> dict[str, Any]:
    said = ((each.name, getattr(value, each.name)) for each in fields(value))
    return {camel(name): write(it) for name, it in said if it is not None}


def _write_remedy(remedy: Remedy) -> Any:
    if isinstance(remedy, Wait):
        return {"wait": remedy.seconds}
    if isinstance(remedy, UnitCall):
        return {"unit": {"name": remedy.name, "verb": remedy.verb.value}}
    if isinstance(remedy, FixCall):
        return {"fix": {"name": remedy.name, "args": dict(remedy.args)}}
    return _NAMES[type(remedy)]


def read_remedy(written: object) -> Remedy:
    """See :meth:`Remedy.from_json`."""
    if isinstance(written, str) and written in _PLAIN:
        return _PLAIN[written]()
    if isinstance(written, dict) and len(written) == 1:
        [(case, payload)] = written.items()
        if case == "wait":
            return Wait(_seconds(payload))
        if case == "unit":
            name, verb = _payload(case, payload, ("name", "verb"))
            return UnitCall(_text(case, name), _verb(verb))
        if case == "fix":
            if isinstance(payload, dict):
                payload = {"args": {}, **payload}
            name, args = _payload(case, payload, ("name", "args"))
            pairs = args.items() if isinstance(args, dict) else [(args, "")]
            return FixCall(_text(case, name), {_text(case, k): _text(case, v) for k, v in pairs})
    raise ValueError(f"{written!r} is no remedy")


def _payload(case: str, payload: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    if not isinstance(payload, dict) or set(payload) != set(names):
        raise ValueError(f"{case}: {payload!r} has not exactly the keys {', '.join(names)}")
    return tuple(payload[name] for name in names)


def _seconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise ValueError(f"wait: {value!r} is no number of seconds")
    return value


def _text(case: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{case}: {value!r} is no text")
    return value


def _verb(value: object) -> UnitVerb:
    try:
        return UnitVerb(value)
    except ValueError:
        raise ValueError(f"unit: {value!r} is no verb") from None


def read_observation(written: object) -> Observation:
    """See :meth:`Observation.from_json`."""
    seen: Observation = _read(written, "Observation", "observation")
    return seen


# The classes of the contract by the names that stand in their annotations.
_CLASSES = {**vars(types), **vars(answers)}
_SITES = {"node": "NodeView", "controlPlane": "ClusterView"}


def _read(written: Any, kind: str, place: str) -> Any:
    """``written`` as what the annotation ``kind`` says."""
    kind = kind.removesuffix(" | None")
    if kind == "NodeView | ClusterView":
        if not isinstance(written, dict) or len(written) != 1 or not set(written) <= set(_SITES):
            raise ValueError(f"{place}: {written!r} is no site")
        [(site, view)] = written.items()
        return _read(view, _SITES[site], f"{place}.{site}")
    if kind == "Gate":
        if isinstance(written, dict) and set(written) == {"closed"}:
            return Gate(_read(written["closed"], "str", place))
        if written == "open":
            return Gate()
        raise ValueError(f"{place}: {written!r} is no gate")
    if kind == "Remedy":
        return read_remedy(written)
    if kind.startswith("list["):
        inner = kind[len("list[") : -1]
        items = enumerate(_of(list, written, place))
        return [_read(item, inner, f"{place}.{at}") for at, item in items]
    if kind == "dict[str, str]":
        pairs = _of(dict, written, place).items()
        return {name: _of(str, value, f"{place}.{name}") for name, value in pairs}
    plain = {"str": str, "int": int, "bool": bool}.get(kind)
    if plain is not None:
        return _of(plain, written, place)
    cls = _CLASSES[kind]
    if issubclass(cls, Enum):
        try:
            return cls(written)
        except ValueError:
            raise ValueError(f"{place}: {written!r} is none of them") from None
    return _read_record(cls, _of(dict, written, place), place)


def _read_record(cls: type, written: dict[str, Any], place: str) -> Any:
    said = {}
    for each in fields(cls):
        name = camel(each.name)
        if name in written:
            said[each.name] = _read(written[name], str(each.type), f"{place}.{name}")
        elif each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"{place}.{name} is missing")
    return cls(**said)


def _of(cls: type, written: Any, place: str) -> Any:
    if not isinstance(written, cls) or (isinstance(written, bool) and cls is not bool):
        raise ValueError(f"{place}: {written!r} is no {cls.__name__}")
    return written
