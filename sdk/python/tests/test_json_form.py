import json
import unittest

from rectifier_policy import Observation, Remedy

from . import SDK

CASES = sorted((SDK.parent / "conformance" / "cases").glob("*.json"))


class JsonForm(unittest.TestCase):
    def test_each_golden_observation_is_written_as_it_was_read(self):
        self.assertTrue(CASES)
        for file in CASES:
            written = json.loads(file.read_text(encoding="utf-8"))["observation"]
            with self.subTest(file.name):
                self.assertEqual(Observation.from_json(written).to_json(), written)

    def test_a_key_that_is_not_known_is_ignored_in_an_observation(self):
        seen = Observation.from_json({"id": "1", "new": {}, "node": {"name": "a", "rack": 2}})
        self.assertEqual((seen.id, seen.node.name), ("1", "a"))

    def test_what_does_not_fit_is_refused_with_its_place(self):
        for written, names in [
            ({"node": {"pods": "3"}}, "node.pods"),
            ({"node": {"ready": "maybe"}}, "node.ready"),
            ({"node": {"unschedulable": 0}}, "node.unschedulable"),
            ({"site": {"moon": {}}}, "site"),
            ({"site": {"node": {"reboot": "ajar"}}}, "site.node.reboot"),
            ({"episode": {}}, "episode.problem"),
            ({"conditions": [{"kind": "a"}, {"kind": 1}]}, "conditions.1.kind"),
            ({"facts": {"a": 1}}, "facts.a"),
        ]:
            with self.assertRaisesRegex(ValueError, names):
                Observation.from_json(written)

    def test_a_remedy_is_read_as_it_is_written(self):
        for written in [
            "decline",
            "reboot",
            "escalate",
            "replace",
            {"wait": 30},
            {"unit": {"name": "kubelet.service", "verb": "stopStart"}},
            {"fix": {"name": "vacuum", "args": {"size": "1G"}}},
        ]:
            self.assertEqual(Remedy.from_json(written).to_json(), written)

    def test_a_fix_may_have_no_arguments(self):
        self.assertEqual(Remedy.from_json({"fix": {"name": "a"}}), Remedy.run_fix("a"))

    def test_what_is_no_remedy_is_refused_by_name(self):
        for written, names in [
            ("rebot", "rebot"),
            ({"unit": {"name": "a.service", "verb": "kill"}}, "kill"),
            ({"unit": {"name": "a.service", "verb": ["start"]}}, "start"),
            ({"unit": {"name": "a.service", "verb": "start", "force": True}}, "force"),
            ({"unit": "a.service"}, "a.service"),
            ({"fix": {"name": "a", "args": {"b": 1}}}, "1"),
            ({"fix": {"name": "a", "args": ["b"]}}, "b"),
            ({"fix": "a"}, "a"),
            ({"wait": -1}, "-1"),
            ({"wait": 1 << 32}, "4294967296"),
            ({"wait": True}, "True"),
            ({"wait": 1, "unit": {}}, "wait"),
            (None, "None"),
            ([], "is no remedy"),
        ]:
            with self.assertRaisesRegex(ValueError, names):
                Remedy.from_json(written)
