"""The operator's settings, as a policy wants them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType

from .errors import PolicyError
from .json_form import camel

TYPE_CHECKING = False  # `typing` itself would lie in every component
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Settings = TypeVar("Settings")

_ANY = object()


def refuse_unknown(settings: Mapping[str, object], *known: str) -> None:
    """For settings that stay a ``dict``: raises :class:`PolicyError` for a key that is none of
    these, so that a misspelt one is refused and not ignored."""
    for key in settings:
        if key not in known:
            raise PolicyError(f"settings.{key} is not known; known are: {', '.join(known)}")


def read(cls: Callable[..., Settings], settings: object, place: str = "settings") -> Settings:
    """The settings as one of the dataclass ``cls``.

    A field ``max_restarts`` is the key ``maxRestarts``; one without a default must be there. Values
    are checked against annotations made of ``bool``, ``int``, ``float``, ``str``, ``list``,
    ``dict``, other dataclasses and ``| None``; what is annotated otherwise is taken as it is.

    Raises :class:`PolicyError` for a key that is not known, one that is missing, and a value of
    another type, each with the key's name.
    """
    if not isinstance(settings, dict):
        raise PolicyError(f"{place} is no object")
    record: Any = cls
    known = {camel(each.name): each for each in fields(record) if each.init}
    for key in settings:
        if key not in known:
            names = ", ".join(known) or "none"
            raise PolicyError(f"{place}.{key} is not known; known are: {names}")
    said = {}
    for key, each in known.items():
        if key in settings:
            kind = _resolved(each.type, record)
            said[each.name] = _value(settings[key], kind, f"{place}.{key}")
        elif each.default is MISSING and each.default_factory is MISSING:
            raise PolicyError(f"{place}.{key} is missing")
    return cls(**said)


def _resolved(kind: Any, cls: type) -> Any:
    """Annotations are text under ``from __future__ import annotations``."""
    if not isinstance(kind, str):
        return kind
    try:
        return eval(kind, dict(vars(sys.modules[cls.__module__])))  # the author's own source
    except Exception:
        return _ANY


def _value(value: Any, kind: Any, place: str) -> Any:
    origin = getattr(kind, "__origin__", None)
    # `Optional[X]` is of another class than `X | None` before Python 3.14
    if isinstance(kind, UnionType) or str(origin) == "typing.Union":
        return _one_of(value, kind.__args__, place)
    if origin in (list, dict):
        return _container(value, origin, kind.__args__, place)
    if kind in (None, NoneType):
        return _checked(value, value is None, "null", place)
    if not isinstance(kind, type):
        return value
    if is_dataclass(kind):
        return read(kind, value, place)
    if kind is float:
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(_checked(value, plain, "number", place))
    if kind is int:
        plain = isinstance(value, int) and not isinstance(value, bool)
        return _checked(value, plain, "integer", place)
    names = {bool: "truth value", str: "text", list: "list", dict: "object"}
    if kind in names:
        return _checked(value, isinstance(value, kind), names[kind], place)
    return value


def _one_of(value: Any, kinds: tuple[Any, ...], place: str) -> Any:
    if value is None and NoneType in kinds:
        return None
    refused = PolicyError(f"{place} must be null")
    for kind in kinds:
        if kind is not NoneType:
            try:
                return _value(value, kind, place)
            except PolicyError as error:
                refused = error
    raise refused


def _container(value: Any, origin: type, inner: tuple[Any, ...], place: str) -> Any:
    value = _value(value, origin, place)
    if origin is list:
        return [_value(item, inner[0], f"{place}.{at}") for at, item in enumerate(value)]
    return {name: _value(item, inner[1], f"{place}.{name}") for name, item in value.items()}


def _checked(value: Any, fits: bool, what: str, place: str) -> Any:
    if not fits:
        raise PolicyError(f"{place} is {value!r}, which is no {what}")
    return value
