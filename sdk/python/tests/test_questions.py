import unittest

from rectifier_policy import (
    Attempt,
    ClusterView,
    Condition,
    Episode,
    Fix,
    Freshness,
    Gate,
    Node,
    NodeView,
    Observation,
    Outcome,
    Remedy,
    Status,
    Unit,
)

RESTART = Remedy.restart("kubelet.service")


def episode(*attempts: Attempt) -> Episode:
    return Episode(Condition("KubeletUnhealthy"), attempts=list(attempts))


class Episodes(unittest.TestCase):
    def test_what_was_refused_was_not_tried(self):
        seen = episode(Attempt(RESTART, outcome=Outcome.REFUSED), Attempt(RESTART))
        self.assertEqual(seen.tried(RESTART), 1)

    def test_only_exactly_the_same_remedy_counts(self):
        seen = episode(Attempt(Remedy.restart("containerd.service")), Attempt(RESTART))
        self.assertEqual(seen.tried(RESTART), 1)
        self.assertEqual(seen.tried(Remedy.run_fix("vacuum")), 0)

    def test_attempts_are_given_newest_first(self):
        seen = episode(Attempt(RESTART, age=1), Attempt(Remedy.reboot()), Attempt(RESTART, age=9))
        self.assertEqual([each.age for each in seen.attempts_at(RESTART)], [1, 9])
        self.assertEqual(seen.last().age, 1)

    def test_an_episode_without_attempts_has_no_last_and_none_that_runs(self):
        self.assertIsNone(episode().last())
        self.assertIsNone(episode(Attempt(RESTART)).running())

    def test_the_remedy_that_runs_is_found_behind_others(self):
        running = Attempt(RESTART, outcome=Outcome.RUNNING)
        self.assertIs(episode(Attempt(Remedy.reboot()), running).running(), running)


class Observations(unittest.TestCase):
    def test_a_problem_that_nobody_knows_of_for_certain_is_not_there(self):
        for status, there in [(Status.YES, True), (Status.NO, False), (Status.UNKNOWN, False)]:
            seen = Observation(episode=Episode(Condition("KubeletUnhealthy", status)))
            self.assertEqual(seen.problem_is_there(), there)
            self.assertEqual(seen.problem, "KubeletUnhealthy")

    def test_each_site_is_asked_for_its_own_view(self):
        node = Observation(site=NodeView())
        self.assertIs(node.on_node(), node.site)
        self.assertIsNone(node.in_control_plane())
        cluster = Observation(site=ClusterView(freshness=Freshness.STALE))
        self.assertIs(cluster.in_control_plane(), cluster.site)
        self.assertIsNone(cluster.on_node())
        self.assertTrue(node.is_fresh())
        self.assertFalse(cluster.is_fresh())

    def test_what_is_looked_up_by_name_is_found_or_none(self):
        seen = Observation(
            node=Node(labels={"zone": "a"}),
            conditions=[Condition("Ready", Status.NO)],
            facts={"agent": "silent"},
        )
        self.assertEqual(seen.condition("Ready").status, Status.NO)
        self.assertEqual((seen.label("zone"), seen.fact("agent")), ("a", "silent"))
        self.assertIsNone(seen.condition("other") or seen.label("other") or seen.fact("other"))

    def test_a_unit_and_a_fix_are_found_by_name(self):
        view = NodeView(units=[Unit("a.service")], fixes=[Fix("vacuum")])
        self.assertIs(view.unit("a.service"), view.units[0])
        self.assertIs(view.fix("vacuum"), view.fixes[0])
        self.assertIsNone(view.unit("b.service") or view.fix("other"))

    def test_a_gate_that_is_closed_without_a_word_is_closed(self):
        self.assertTrue(Gate().is_open)
        self.assertFalse(Gate(closed_by="").is_open)
