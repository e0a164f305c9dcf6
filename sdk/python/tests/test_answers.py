import unittest

from rectifier_policy import Decision, Remedy, UnitCall, UnitVerb


class Answers(unittest.TestCase):
    def test_a_remedy_and_its_reason_are_a_decision(self):
        decision = Remedy.restart("a.service").because("it failed", settle=30)
        self.assertEqual(decision.remedy, UnitCall("a.service", UnitVerb.RESTART))
        self.assertEqual((decision.reason, decision.settle, decision.notes), ("it failed", 30, {}))

    def test_a_note_is_added_to_another_decision(self):
        first = Remedy.wait(30).because("later", notes={"a": "1"})
        self.assertEqual(first.note("b", "2").notes, {"a": "1", "b": "2"})
        self.assertEqual(first, Decision(Remedy.wait(30), "later", None, {"a": "1"}))

    def test_remedies_are_equal_if_they_ask_for_the_same(self):
        self.assertEqual(Remedy.escalate(), Remedy.escalate())
        self.assertNotEqual(Remedy.escalate(), Remedy.decline())
        self.assertEqual(Remedy.run_fix("a", {"b": "c"}), Remedy.run_fix("a", {"b": "c"}))
        self.assertNotEqual(Remedy.unit("a", UnitVerb.START), Remedy.restart("a"))
