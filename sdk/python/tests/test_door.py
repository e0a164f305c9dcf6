"""What the component's runtime does, done here: it calls by name, and reads attributes."""

import json
import unittest
from dataclasses import make_dataclass
from enum import Enum
from types import ModuleType

from rectifier_policy import (
    Attempt,
    ClusterView,
    Decision,
    FixCall,
    Gate,
    NodeView,
    Observation,
    Outcome,
    PolicyError,
    Remedy,
    Status,
    UnitVerb,
    door,
)
from rectifier_policy.errors import one_line


def generated() -> ModuleType:
    """A module as `componentize-py` generates it for this contract."""
    module = ModuleType("generated")
    for name, make in door.RECORDS.items():
        setattr(module, name, make_dataclass(name, door._parameters(make)))
    for name in door.VARIANTS:
        setattr(module, name, type(name, (), {}))
    for enum in door.ENUMS:
        names = [case.name for case in enum]
        setattr(module, enum.__name__, Enum(enum.__name__, names, start=0))
    for it in vars(module).values():
        if isinstance(it, type):
            it.__module__ = "generated"
    return module


class ComingIn(unittest.TestCase):
    def setUp(self):
        self.runtime = generated()
        door.install(self.runtime)

    def test_pairs_become_a_dict(self):
        pairs = [self.runtime.Pair("a", "1"), self.runtime.Pair("b", "2")]
        node = self.runtime.Node("n", None, "", pairs, Status.NO, False, None, 0)
        self.assertEqual(node.labels, {"a": "1", "b": "2"})
        call = self.runtime.Remedy_Fix(self.runtime.FixCall("fix", pairs))
        self.assertEqual(call, FixCall("fix", {"a": "1", "b": "2"}))
        seen = self.runtime.Observation("1", None, node, None, None, [], [], [], pairs)
        self.assertEqual(Observation.fact(seen, "b"), "2")

    def test_cases_become_the_sdks_own(self):
        self.assertEqual(self.runtime.Gate_Open(), Gate())
        self.assertEqual(self.runtime.Gate_Closed("rail"), Gate("rail"))
        view, cluster = NodeView(), ClusterView()
        self.assertIs(self.runtime.Site_Node(view), view)
        self.assertIs(self.runtime.Site_ControlPlane(cluster), cluster)
        self.assertEqual(self.runtime.Remedy_Wait(30), Remedy.wait(30))
        self.assertEqual(self.runtime.Remedy_Decline(), Remedy.decline())
        unit = self.runtime.UnitCall("a.service", self.runtime.UnitVerb(2))
        self.assertEqual(
            self.runtime.Remedy_Unit(unit), Remedy.unit("a.service", UnitVerb.STOP_START)
        )

    def test_an_enum_is_called_with_the_number_of_its_case(self):
        self.assertIs(self.runtime.Outcome(2), Outcome.NO_EFFECT)
        attempt = self.runtime.Attempt(Remedy.reboot(), 1, self.runtime.Outcome(4), "")
        self.assertEqual(attempt, Attempt(Remedy.reboot(), 1, Outcome.REFUSED))

    def test_a_contract_of_another_shape_is_refused_when_it_is_built(self):
        more = generated()
        more.Moment = make_dataclass("Moment", ["unix_seconds", "weekday", "minute_of_day", "year"])
        more.Moment.__module__ = "generated"
        fewer = generated()
        del fewer.Remedy_Replace
        other = generated()
        other.Status = Enum("Status", ["YES", "UNKNOWN", "NO"], start=0)
        other.Status.__module__ = "generated"
        for module, names in [(more, "Moment"), (fewer, "Remedy_Replace"), (other, "Status")]:
            with self.assertRaisesRegex(TypeError, names):
                door.install(module)


class GoingOut(unittest.TestCase):
    def test_a_case_is_told_by_its_class_and_has_its_payload_as_value(self):
        out = door.outgoing(Remedy.wait(30).because("later", settle=5, notes={"a": "1"}))
        self.assertIs(type(out.remedy), door.VARIANTS["Remedy_Wait"])
        self.assertEqual((out.remedy.value, out.reason, out.settle), (30, "later", 5))
        self.assertEqual([(note.name, note.value) for note in out.notes], [("a", "1")])

    def test_a_unit_call_carries_the_number_of_its_verb(self):
        out = door.outgoing(Remedy.unit("a.service", UnitVerb.RESET_FAILED).because(""))
        self.assertIs(type(out.remedy), door.VARIANTS["Remedy_Unit"])
        self.assertEqual((out.remedy.value.name, out.remedy.value.verb.value), ("a.service", 3))

    def test_a_fix_call_carries_pairs(self):
        out = door.outgoing(Remedy.run_fix("vacuum", {"size": "1G"}).because(""))
        self.assertEqual(
            [(each.name, each.value) for each in out.remedy.value.args], [("size", "1G")]
        )

    def test_what_the_runtime_could_not_read_is_an_error_with_a_word(self):
        for wrong, names in [
            (None, "None, which is no Decision"),
            (Remedy.reboot(), "without a reason"),
            (Decision("reboot", ""), "'reboot', which is none"),
            (Remedy.wait(-1).because(""), "wait is -1"),
            (Remedy.wait(1.5).because(""), "wait is 1.5"),
            (Remedy.wait(True).because(""), "wait is True"),
            (Remedy.wait(1).because("", settle=1 << 32), "settle"),
            (Remedy.reboot().because(None), "reason is None"),
            (Remedy.reboot().because("\ud800"), "Unicode"),
            (Remedy.reboot().because("", notes={"a": 1}), "notes.a is 1"),
            (Remedy.unit("a", "restart").because(""), "no UnitVerb"),
            (Remedy.run_fix("a", {"b": 2}).because(""), "args.b is 2"),
        ]:
            with self.assertRaisesRegex(PolicyError, names):
                door.outgoing(wrong)


class Policies(unittest.TestCase):
    def policy(self, **functions) -> door.Policy:
        module = ModuleType("policy")
        vars(module).update(functions)
        return door.Policy(module)

    def test_settings_are_a_dict_where_there_is_no_class_for_them(self):
        seen = []
        policy = self.policy(decide=None, check=seen.append)
        policy.check('{"a": 9007199254740991}')
        self.assertEqual(seen, [{"a": 9007199254740991}])

    def test_settings_are_read_into_the_class_that_is_there(self):
        settings = make_dataclass("Settings", [("attempts", int, 1)])
        policy = self.policy(
            decide=lambda seen, said: Remedy.wait(said.attempts).because(""), Settings=settings
        )
        self.assertEqual(policy.decide(Observation(), "{}").remedy.value, 1)
        policy.check('{"attempts": 2}')
        with self.assertRaisesRegex(PolicyError, "settings.atempts"):
            policy.check('{"atempts": 2}')


class Errors(unittest.TestCase):
    def test_an_exception_is_told_with_its_type_its_text_and_its_place(self):
        try:
            {}["missing\nkey"]
        except KeyError as error:
            self.assertRegex(
                one_line(error), r"^KeyError: 'missing\\nkey' \(line \d+ of test_door.py\)$"
            )

    def test_the_place_is_the_last_one_in_the_authors_folder(self):
        try:
            json.loads("[")
        except ValueError as error:
            self.assertIn("of decoder.py", one_line(error))
            self.assertIn("of test_door.py", one_line(error, __file__.rpartition("/")[0] + "/"))

    def test_a_policys_own_word_stands_alone_on_one_line(self):
        self.assertEqual(one_line(PolicyError("one\ntwo")), "one two")

    def test_an_exception_without_a_text_is_told_by_its_type(self):
        self.assertEqual(one_line(AssertionError()), "AssertionError")
