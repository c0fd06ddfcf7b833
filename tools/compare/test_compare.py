#!/usr/bin/env python3
"""Tests of what needs none of the other programs: python3 tools/compare/test_compare.py"""

import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import chart
from cases import CASES, Case
from compare import check_answers, claim
from engine import order_keys

HERE = pathlib.Path(__file__).resolve().parent
SVG = "{http://www.w3.org/2000/svg}"


def draw(*options: str) -> xml.etree.ElementTree.Element:
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "compare.svg"
        subprocess.run([sys.executable, HERE / "chart.py", HERE / "testdata/compare.json", file, *options], check=True)
        return xml.etree.ElementTree.parse(file).getroot()


class Chart(unittest.TestCase):
    def test_every_contender_has_a_bar_within_its_column_and_a_ratio(self) -> None:
        root = draw()
        texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
        for expected in ["Query 1 < 2 & \"3\"", "twice as slow", "2.00 s2.00×", "4.0 ms0.00×", "123.4 s1234×", "500 ms"]:
            self.assertIn(expected, texts)
        bars = [bar for bar in root.iter(f"{SVG}rect") if bar.get("class") in ("ours", "other")]
        self.assertEqual(len(bars), 6)
        for bar in bars:
            self.assertGreater(float(bar.get("width")), 0)
            self.assertLessEqual(float(bar.get("width")), chart.BAR)
            self.assertLess(float(bar.get("y")) + chart.ROW, float(root.get("height")))
        # The one that is more than a thousand times as long as ours.
        self.assertEqual(len(list(root.iter(f"{SVG}path"))), 1)

    def test_some_cases_are_drawn_alone(self) -> None:
        titles = [text.text for text in draw("--only", "backup").iter(f"{SVG}text") if text.get("class") == "case"]
        self.assertEqual(titles, ["First backup"])

    def test_columns_keep_the_order_and_are_about_as_high(self) -> None:
        cases = [{"case": str(n), "note": "", "contenders": [None] * n} for n in range(1, 7)]
        left, right = chart.columns(cases)
        self.assertEqual([*left, *right], cases)
        self.assertEqual([case["case"] for case in right], ["5", "6"])


class Work(unittest.TestCase):
    def test_only_a_directory_of_our_own_is_taken(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory) / "compare"
            claim(root, {"scale": "1"})
            (root / "kept").touch()
            claim(root, {"scale": "1"})
            with self.assertRaisesRegex(SystemExit, "other amounts"):
                claim(root, {"scale": "2"})
            foreign = pathlib.Path(directory)
            with self.assertRaisesRegex(SystemExit, "not empty"):
                claim(foreign, {"scale": "1"})

    def test_answers_must_be_there_and_equal(self) -> None:
        case = Case("scan", "Scan", [])
        check_answers(case, {"a": [{"answer": 1.0}, {"answer": 1.0}], "b": [{"answer": 1.0 + 1e-9}]})
        check_answers(case, {"a": [{"seconds": 1.0}], "b": [{}]})
        for wrong in [{"a": [{"answer": 1.0}], "b": [{"answer": 2.0}]},
                      {"a": [{"answer": 2.0}, {"answer": 1.0}], "b": [{"answer": 1.0}]},
                      {"a": [{"answer": 1.0}], "b": [{}]}]:
            with self.assertRaisesRegex(SystemExit, "answers differ"):
                check_answers(case, wrong)

    def test_keys_are_those_of_the_benchmark(self) -> None:
        keys = order_keys(0.001)
        self.assertEqual(len(keys), 20)
        # The test of `order_keys` in src/cli/bench/rows.rs says the same.
        self.assertEqual(keys[:3], [3938, 5411, 3336])

    def test_cases_have_names_of_their_own_and_ours_first(self) -> None:
        self.assertEqual(len({case.name for case in CASES}), len(CASES))
        for case in CASES:
            self.assertEqual(case.contenders[0].name, "SteleDB")
            names = [contender.name for contender in case.contenders]
            self.assertEqual(len(set(names)), len(names), case.name)


if __name__ == "__main__":
    unittest.main()
