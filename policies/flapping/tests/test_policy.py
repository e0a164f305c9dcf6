"""What is quicker to say in code than in cases/."""

import re
import unittest
from dataclasses import fields
from pathlib import Path

from rectifier_policy import (
    Attempt,
    ClusterView,
    Condition,
    Episode,
    Gate,
    Group,
    NodeView,
    Observation,
    Outcome,
    PolicyError,
    Remedy,
    Server,
    Status,
    Wait,
)
from rectifier_policy.json_form import camel

from policy import LOOK, Settings, check, decide, patience_of, shared


def seen(held=600, recurrences=0, attempts=(), site=None, status=Status.YES):
    problem = Condition("NotReady", status, held=held)
    episode = Episode(problem, age=held, recurrences=recurrences, attempts=list(attempts))
    return Observation(site=site or ClusterView(server=Server()), episode=episode)


class Policy(unittest.TestCase):
    def test_the_patience_never_shrinks_with_a_recurrence_and_ends_at_the_longest(self):
        told = [patience_of(seen(recurrences=times).episode, Settings()) for times in (0, 1, 2, 3, 4, 9)]
        self.assertEqual(told, [120, 240, 480, 960, 1800, 1800])

    def test_a_number_of_recurrences_that_only_a_broken_engine_tells_takes_no_time(self):
        self.assertEqual(decide(seen(recurrences=2**32 - 1), Settings()).remedy, Remedy.replace())

    def test_no_wait_is_longer_than_a_look(self):
        for site in (ClusterView(server=Server()), NodeView()):
            for recurrences in range(5):
                for held in (0, 60, 119):
                    remedy = decide(seen(held, recurrences, site=site), Settings()).remedy
                    self.assertIsInstance(remedy, Wait)
                    self.assertTrue(0 < remedy.seconds <= LOOK, remedy)

    def test_the_same_answer_has_the_same_words_as_time_goes_by(self):
        for early, late in [(10, 40), (600, 9000)]:
            told = [decide(seen(held), Settings()).reason for held in (early, late)]
            self.assertEqual(told[0], told[1])

    def test_it_never_comes_down(self):
        grave = {Remedy.reboot(): 1, Remedy.replace(): 2, Remedy.escalate(): 3}
        for recurrences in (0, 9):
            attempts, before = [], 0
            while (remedy := decide(seen(9000, recurrences, attempts), Settings()).remedy) != Remedy.escalate():
                self.assertGreaterEqual(grave[remedy], before)
                before = grave[remedy]
                attempts.insert(0, Attempt(remedy))
            self.assertEqual(len(attempts), 3 if recurrences else 4)

    def test_nothing_is_done_without_certain_and_fresh_evidence_or_while_a_remedy_runs(self):
        running = Attempt(Remedy.reboot(), outcome=Outcome.RUNNING)
        for observation in [
            seen(9000, 9, status=Status.UNKNOWN),
            seen(9000, 9, status=Status.NO),
            seen(9000, 9, [running]),
        ]:
            self.assertEqual(decide(observation, Settings()).remedy, Remedy.wait(30))

    def test_two_nodes_at_least_are_many(self):
        def crowd(nodes, same):
            group = Group(nodes, same)
            return shared(ClusterView(pool=group, zone=group, same_problem=Group(same, same)), Settings())

        self.assertIsNone(crowd(1, 1))
        self.assertIsNone(crowd(7, 2))
        self.assertIsNotNone(crowd(6, 2))
        self.assertIsNone(crowd(0, 0))

    def test_nobody_boots_a_node_that_its_gate_keeps_from_it(self):
        site = ClusterView(server=Server(), reboot=Gate("it was booted today"))
        decision = decide(seen(site=site), Settings())
        self.assertEqual(decision.remedy, Remedy.replace())
        self.assertIn("it was booted today", decision.reason)

    def test_the_shipped_sidecar_says_what_holds_without_one(self):
        sidecar = (Path(__file__).parent.parent / "flapping.yaml").read_text(encoding="utf-8")
        said = dict(re.findall(r"^  (\w+): (\d+)", sidecar, re.MULTILINE))
        self.assertEqual(said, {camel(each.name): str(each.default) for each in fields(Settings)})

    def test_settings_that_make_no_sense_are_refused_by_their_key(self):
        for settings, names in [
            (Settings(patience_seconds=0), "patienceSeconds is 0: it must be from 1"),
            (Settings(longest_seconds=60), "longestSeconds is 60: it must be from 120"),
            (Settings(recurrences=0), "recurrences"),
            (Settings(shared_percent=101), "sharedPercent"),
            (Settings(gate_patience_seconds=-1), "gatePatienceSeconds"),
        ]:
            with self.assertRaisesRegex(PolicyError, names):
                check(settings)
        check(Settings())
