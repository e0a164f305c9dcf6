"""The types are written by hand from `sdk/wit/policy.wit`: this tells when they are stale."""

import re
import unittest

from rectifier_policy import door

from . import SDK

WIT = (SDK.parent / "wit" / "policy.wit").read_text(encoding="utf-8")


def declared(keyword: str) -> dict[str, list[str]]:
    """Name and body's names of each `enum`, `record` or `variant`, without comments."""
    text = re.sub(r"//.*", "", WIT)
    bodies = re.findall(rf"\b{keyword} ([a-z-]+) \{{([^}}]*)\}}", text)
    first_names = re.compile(r"(?:^|,)\s*([a-z-]+)")
    flat = {name: re.sub(r"\([^)]*\)|<[^>]*>", "", body) for name, body in bodies}
    return {name: first_names.findall(body) for name, body in flat.items()}


def pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


class Contract(unittest.TestCase):
    def test_records_have_the_fields_of_the_contract_in_its_order(self):
        records = {pascal(name): fields for name, fields in declared("record").items()}
        self.assertEqual(records.keys(), door.RECORDS.keys())
        for name, fields in records.items():
            own = door._parameters(door.RECORDS[name])
            self.assertEqual([field.replace("-", "_") for field in fields], own, name)

    def test_enums_have_the_cases_of_the_contract_in_its_order(self):
        enums = {pascal(name): cases for name, cases in declared("enum").items() if name != "level"}
        self.assertEqual(enums.keys(), {enum.__name__ for enum in door.ENUMS})
        for enum in door.ENUMS:
            own = [case.name.lower().replace("_", "-") for case in enum]
            self.assertEqual(enums[enum.__name__], own)

    def test_variants_have_the_cases_of_the_contract(self):
        cases = {
            f"{pascal(name)}_{pascal(case)}"
            for name, its in declared("variant").items()
            for case in its
        }
        self.assertEqual(cases, door.VARIANTS.keys())
