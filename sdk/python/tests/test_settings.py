import unittest
from dataclasses import dataclass, field
from typing import Optional

from rectifier_policy import PolicyError, refuse_unknown
from rectifier_policy.settings import read


@dataclass
class Rule:
    unit: str
    max_restarts: int = 1


@dataclass
class Settings:
    share: float = 0.5
    dry: bool = False
    pool: str | None = None
    zone: Optional[str] = None
    rules: list[Rule] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    extra: object = None


class Read(unittest.TestCase):
    def test_keys_are_the_fields_in_camel_case_and_values_become_what_is_annotated(self):
        written = {
            "share": 1,
            "pool": "workers",
            "rules": [{"unit": "a.service", "maxRestarts": 9007199254740991}],
            "limits": {"a": 2},
            "extra": [1],
        }
        said = read(Settings, written)
        self.assertEqual(said.rules, [Rule("a.service", 9007199254740991)])
        self.assertIsInstance(said.share, float)
        self.assertEqual((said.pool, said.limits, said.extra), ("workers", {"a": 2}, [1]))

    def test_what_is_not_said_is_the_default(self):
        self.assertEqual(read(Settings, {}), Settings())
        self.assertIsNone(read(Settings, {"pool": None}).pool)

    def test_what_does_not_fit_is_refused_with_its_key(self):
        for written, names in [
            ({"shares": 1}, r"settings.shares is not known; known are: share, dry"),
            ({"share": "1"}, "settings.share is '1'"),
            ({"share": True}, "settings.share"),
            ({"dry": 1}, "settings.dry"),
            ({"pool": 1}, "settings.pool is 1, which is no text"),
            ({"rules": {}}, "settings.rules"),
            ({"rules": [{"unit": "a", "maxRestarts": 1.5}]}, "settings.rules.0.maxRestarts is 1.5"),
            ({"rules": [{"unit": "a", "maxRestarts": True}]}, "settings.rules.0.maxRestarts"),
            ({"rules": [{"maxRestarts": 1}]}, "settings.rules.0.unit is missing"),
            ({"rules": [{"unit": "a", "max_restarts": 1}]}, "max_restarts is not known"),
            ({"limits": {"a": "2"}}, "settings.limits.a"),
            ({"zone": 1}, "settings.zone"),
            ([], "settings is no object"),
        ]:
            with self.assertRaisesRegex(PolicyError, names):
                read(Settings, written)

    def test_a_dataclass_without_fields_takes_no_settings(self):
        @dataclass
        class Nothing:
            pass

        with self.assertRaisesRegex(PolicyError, "known are: none"):
            read(Nothing, {"a": 1})

    def test_a_dict_is_held_against_the_keys_that_are_known(self):
        refuse_unknown({"attempts": 1}, "attempts", "unit")
        with self.assertRaisesRegex(PolicyError, "settings.atempts is not known"):
            refuse_unknown({"atempts": 1}, "attempts", "unit")
