"""The conformance policy in Python, as a component: sdk/conformance/README.md says what it must
answer."""

from __future__ import annotations

from dataclasses import dataclass

from rectifier_policy import Decision, Observation, PolicyError, Remedy


@dataclass
class Settings:
    """The answer that is wanted, in the contract's JSON form."""

    remedy: object = None
    reason: str = ""
    settle: int | None = None
    error: str | None = None
    """It cannot decide, and says this."""
    refuse: str | None = None
    """Its settings are refused, for this reason."""
    panic: str | None = None
    """It raises this."""
    loop: bool = False
    """It never ends."""
    allocate: bool = False
    """It takes memory until there is none."""


def check(settings: Settings) -> None:
    if settings.refuse is not None:
        raise PolicyError(settings.refuse)


def decide(seen: Observation, settings: Settings) -> Decision:
    if settings.error is not None:
        raise PolicyError(settings.error)
    if settings.panic is not None:
        raise RuntimeError(settings.panic)
    while settings.loop:
        pass
    taken = []
    while settings.allocate:
        taken.append(bytearray(1 << 20))
    notes: dict[str, str] = {}
    lines(notes, "", seen.to_json())
    remedy = Remedy.from_json(settings.remedy)
    return remedy.because(settings.reason, settle=settings.settle, notes=notes)


def lines(notes: dict[str, str], place: str, value: object) -> None:
    """Every value as a line: the names joined by dots, and the value as text."""

    def below(name: object) -> str:
        return f"{place}.{name}" if place else str(name)

    if isinstance(value, dict) and value:
        for name, inner in value.items():
            lines(notes, below(name), inner)
    elif isinstance(value, list) and value:
        for at, inner in enumerate(value):
            lines(notes, below(at), inner)
    elif isinstance(value, (dict, list)):
        notes[place] = "{}" if isinstance(value, dict) else "[]"
    elif isinstance(value, bool):
        notes[place] = str(value).lower()
    else:
        notes[place] = str(value)
