"""For problems that come and go, such as a node whose Ready does.

    there for less than its patience     wait; the patience doubles with each recurrence
    many nodes of the pool or zone       wait the longest patience, then a person: what they share is ill
    there for as long as its patience    reboot by the cloud ──► replace ──► a person
    came back too often                  replace at once ──────────────► a person
    on the node                          the same waiting, then the control plane
"""

from dataclasses import dataclass

from rectifier_policy import (
    ClusterView,
    Decision,
    Episode,
    Observation,
    Outcome,
    PolicyError,
    Remedy,
)

SOON = 30
"""Seconds after which something may have changed by itself."""

LOOK = 60
"""The longest wait. The control plane asks again after a wait, not before: other nodes may have fallen ill meanwhile."""

REPLACEMENTS = 3
"""Of one node, before a person is asked. After three failed ones the engine asks one, too."""


@dataclass
class Settings:
    """What the operator's sidecar says under `settings`. A key that is not known is refused."""

    patience_seconds: int = 120
    """How long the problem must be there at its first sight: a kubelet that starts anew takes as long."""
    longest_seconds: int = 1800
    """What doubling ends at, and how long a problem of many nodes is let be."""
    recurrences: int = 5
    """So many are no accident. Arbitrary: with 120 s, doubled four times, the longest patience is reached."""
    shared_percent: int = 30
    """Of the nodes of a pool or zone. Where a pool's breaker opens by default."""
    gate_patience_seconds: int = 86_400
    """How old an episode gets while its replacement is held back, before a person is asked."""


def check(settings: Settings) -> None:
    week = 7 * 86_400
    for key, value, least, most in [
        ("patienceSeconds", settings.patience_seconds, 1, 86_400),
        ("longestSeconds", settings.longest_seconds, settings.patience_seconds, week),
        ("recurrences", settings.recurrences, 1, 100),
        ("sharedPercent", settings.shared_percent, 1, 100),
        ("gatePatienceSeconds", settings.gate_patience_seconds, 0, week),
    ]:
        if not least <= value <= most:
            raise PolicyError(f"settings.{key} is {value}: it must be from {least} to {most}")


def decide(seen: Observation, settings: Settings) -> Decision:
    # Gone, unknown or not fresh is no ground to act.
    if not seen.problem_is_there():
        return Remedy.wait(SOON).because(f"{seen.problem} is not reported as there at present")
    if not seen.is_fresh():
        return Remedy.wait(SOON).because("what is known here is not fresh")
    episode = seen.episode
    if episode.running():
        return Remedy.wait(SOON).because("a remedy is still under way")

    view = seen.in_control_plane()
    many = shared(view, settings) if view else None
    too_often = episode.recurrences >= settings.recurrences
    patience = settings.longest_seconds if many else patience_of(episode, settings)
    left = patience - episode.problem.held
    # No age in a reason: an answer that is given again is told once, as long as its words are the same.
    told = f"{seen.problem} (recurrences: {episode.recurrences})"
    if left > 0 and not too_often:
        return Remedy.wait(min(left, LOOK)).because(f"{told} has {patience} s to go away{many or ''}")
    told = f"{told} is no accident" if too_often else f"{told} did not go away within {patience} s"
    if many:
        return Remedy.escalate().because(f"{told}{many}: a network or an API server is what they share")
    if view is None:
        return Remedy.escalate().because(told)
    return act(episode, view, settings, told, too_often)


def patience_of(episode: Episode, settings: Settings) -> int:
    """The usual one, twice as long with each recurrence."""
    doublings = min(episode.recurrences, settings.recurrences)
    return min(settings.patience_seconds << doublings, settings.longest_seconds)


def shared(view: ClusterView, settings: Settings) -> str | None:
    """How many have the same problem, if they are so many that the cause is hardly this node's."""
    for name, group in [("pool", view.pool), ("zone", view.zone)]:
        # Of a zone only its ill nodes are told: not more of them than these have the same problem.
        same = min(view.same_problem.nodes, group.sick)
        if same >= 2 and same * 100 >= settings.shared_percent * group.nodes:
            return f", and {same} of the {group.nodes} nodes of its {name} have it"
    return None


def act(episode: Episode, view: ClusterView, settings: Settings, told: str, too_often: bool) -> Decision:
    """The mildest remedy that is left; never a milder one than was tried before."""
    last = episode.last()
    if last and last.outcome == Outcome.REFUSED and last.age < SOON:
        return Remedy.wait(SOON - last.age).because("a guard rail refused it a moment ago")
    against = no_boot(episode, view, too_often)
    if against is None:
        return Remedy.reboot().because(told)
    told = f"{told}; no reboot: {against}"
    tried = episode.tried(Remedy.replace())
    if tried >= REPLACEMENTS:
        return Remedy.escalate().because(f"{told}; {tried} replacements were tried")
    if view.replace.is_open:
        return Remedy.replace().because(f"{told}; replacement {tried + 1} of {REPLACEMENTS}")
    held = f"a replacement is held back: {view.replace.closed_by}"
    if episode.age < settings.gate_patience_seconds:
        return Remedy.wait(SOON).because(held)
    return Remedy.escalate().because(f"{told}; {held}")


def no_boot(episode: Episode, view: ClusterView, too_often: bool) -> str | None:
    """What is against a reboot by the cloud."""
    if episode.tried(Remedy.replace()):
        return "a replacement was tried already"
    if too_often:
        return "it came back too often for that"
    if episode.tried(Remedy.reboot()):
        return "one was tried already"
    if view.server is None:
        return "it is not certain which server it is"
    if view.server.proven_dead:
        return "the server is dead"
    # Not waited for: what shuts this gate alone is a reboot within a day, whatever it was for.
    return view.reboot.closed_by
