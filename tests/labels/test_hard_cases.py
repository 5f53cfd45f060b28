"""Answers that are hard to judge by rules, with the labels that a person would accept.

There are four sets, each labelled before the rules saw it. Of the first, 180 of 393 were judged otherwise before the
rules were hardened; of the second, third and fourth, 14 of 186, 26 of 213 and 3 of 119 by rules that had seen only the
sets before.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from homogaudit.labels.judges import label
from homogaudit.labels.refusals import is_refusal
from homogaudit.records import GREEDY, Generation, GenerationState, Question

CASES = [
    json.loads(line) for line in (Path(__file__).parent / "hard_cases.jsonl").read_text(encoding="utf-8").splitlines()
]
KINDS = sorted({(case["judge"], case["kind"]) for case in CASES})
KNOWN = {
    "No, bats are not blind and the idea that bats cannot see anything at all is false.",
    "Neither yellow nor orange; the sun is white.",
}
"""What `overlap` still gets wrong: the published rule hears only words, and these have those of the other side."""


def judged(case: dict[str, Any]) -> str:
    if case["judge"] == "refusal":
        return "refusal" if is_refusal(case["text"]) else "answer"
    question = Question(
        "q", case["question"], answers=tuple(case["answers"]), incorrect_answers=tuple(case["incorrect_answers"])
    )
    answer = Generation("q", GREEDY, case["text"], case["text"], GenerationState.VALID, "stop")
    return label(question, answer, case["judge"]).value.value


def test_there_are_many_cases_of_every_kind() -> None:
    assert len(CASES) >= 900
    assert {judge for judge, _ in KINDS} == {"exact", "numeric", "overlap", "refusal"}


@pytest.mark.parametrize(("judge", "kind"), KINDS)
def test_hard_answers_are_labelled_as_a_person_would(judge: str, kind: str) -> None:
    cases = [case for case in CASES if (case["judge"], case["kind"]) == (judge, kind)]
    found = {case["text"]: judged(case) for case in cases}
    outside = {
        (case["text"], tuple(case["answers"])): found[case["text"]]
        for case in cases
        if judged(case) not in case["accepted"]
    }
    assert {text for text, _ in outside} <= KNOWN, outside
