"""What a policy answers: remedies, and the decision for one of them.

The classes are the cases of the contract's variant ``remedy``, to be told apart with ``match`` or
``isinstance``. Two of them are equal if they ask for exactly the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum


class UnitVerb(Enum):
    """What to do to a systemd unit. The value is the name in the contract's JSON form."""

    RESTART = "restart"
    """systemd's ``RestartUnit``."""
    START = "start"
    """``StartUnit``."""
    STOP_START = "stopStart"
    """``StopUnit``, and when that is done ``StartUnit``."""
    RESET_FAILED = "resetFailed"
    """``ResetFailedUnit``, then ``StartUnit``."""


class Remedy:
    """What a policy may advise. A remedy of the other site makes the whole answer invalid."""

    __slots__ = ()

    @staticmethod
    def decline() -> Decline:
        """Not mine: the next less specific policy is asked."""
        return Decline()

    @staticmethod
    def wait(seconds: int) -> Wait:
        """Nothing now; ask again after this time, or as soon as something changes."""
        return Wait(seconds)

    @staticmethod
    def restart(unit: str) -> UnitCall:
        """Restart a systemd unit, e.g. ``containerd.service``. Node only."""
        return UnitCall(unit, UnitVerb.RESTART)

    @staticmethod
    def unit(name: str, verb: UnitVerb) -> UnitCall:
        """Do something to a systemd unit, one of ``NodeView.units``. Node only."""
        return UnitCall(name, verb)

    @staticmethod
    def run_fix(name: str, args: Mapping[str, str] | None = None) -> FixCall:
        """Run a fix, one of ``NodeView.fixes``, with arguments for its params. Node only."""
        return FixCall(name, dict(args or {}))

    @staticmethod
    def reboot() -> Reboot:
        """Node: ask the control plane for the grant. Control plane: reboot out of band, or start
        it if it is shut off."""
        return Reboot()

    @staticmethod
    def escalate() -> Escalate:
        """Node: to the control plane. Control plane: to a person."""
        return Escalate()

    @staticmethod
    def replace() -> Replace:
        """Control plane only: a similar server, Ready, before this one is drained and deleted."""
        return Replace()

    @staticmethod
    def from_json(written: object) -> Remedy:
        """Of its JSON form: ``"reboot"``, ``{"wait": 30}``,
        ``{"unit": {"name": "kubelet.service", "verb": "restart"}}``.

        Raises ``ValueError`` if it is no remedy, saying what is wrong with it.
        """
        from . import json_form

        return json_form.read_remedy(written)

    def to_json(self) -> object:
        """Its JSON form, as :meth:`from_json` reads it."""
        from . import json_form

        return json_form.write(self)

    def because(
        self, reason: str, *, settle: int | None = None, notes: Mapping[str, str] | None = None
    ) -> Decision:
        """This remedy, and why: see :class:`Decision`."""
        return Decision(self, reason, settle, dict(notes or {}))


@dataclass(frozen=True)
class Decline(Remedy):
    """Not mine: the next less specific policy is asked."""


@dataclass(frozen=True)
class Wait(Remedy):
    """Nothing now; ask again after this time, or as soon as something changes."""

    seconds: int


@dataclass(frozen=True)
class UnitCall(Remedy):
    """Something to do to a unit. Node only."""

    name: str
    """One of ``NodeView.units``."""
    verb: UnitVerb


@dataclass(frozen=True)
class FixCall(Remedy):
    """A fix to run. Node only."""

    name: str
    """One of ``NodeView.fixes``."""
    args: dict[str, str] = field(default_factory=dict)
    """Each argument's name is one of that fix's params."""


@dataclass(frozen=True)
class Reboot(Remedy):
    """Node: ask the control plane for the grant. Control plane: reboot out of band, or start it if
    it is shut off."""


@dataclass(frozen=True)
class Escalate(Remedy):
    """Node: to the control plane. Control plane: to a person."""


@dataclass(frozen=True)
class Replace(Remedy):
    """Control plane only: a similar server, Ready, before this one is drained and deleted."""


@dataclass(frozen=True)
class Decision:
    """A remedy and the reason for it."""

    remedy: Remedy
    reason: str
    """Why, in one line for people: it stands in events and in the history. At most 1024 bytes."""
    settle: int | None = None
    """For how many seconds to watch after the remedy before judging it; the engine's default if
    ``None``."""
    notes: dict[str, str] = field(default_factory=dict)
    """For the record only."""

    def note(self, name: str, value: str) -> Decision:
        """The same decision with a note more, or with another value of this note."""
        return replace(self, notes={**self.notes, name: value})
