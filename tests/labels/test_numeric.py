import json
import re
from collections import Counter
from pathlib import Path

import pytest

from homogaudit.labels.judges import label
from homogaudit.records import GREEDY, Generation, GenerationState, Label, LabelValue, Question


def numeric(answer: str, references: tuple[str, ...], finish_reason: str = "stop") -> Label:
    greedy = Generation("q", GREEDY, answer, answer, GenerationState.VALID, finish_reason)
    return label(Question("q", "?", answers=references), greedy, "numeric")


@pytest.mark.parametrize("answer", ["18", "So she makes $18.00.", "9 * 2 = 18 dollars", r"\boxed{18}", "#### 18"])
def test_equal_numbers_are_correct_however_they_are_written(answer: str) -> None:
    assert numeric(answer, ("18",)).value is LabelValue.CORRECT


def test_another_number_is_incorrect_and_both_are_named() -> None:
    verdict = numeric("It is 17.", ("18",))
    assert verdict.value is LabelValue.INCORRECT
    assert "17" in verdict.reason
    assert "18" in verdict.reason


def test_any_of_several_references_will_do() -> None:
    assert numeric("0.5", ("1/2", "2/4", "7")).value is LabelValue.CORRECT


@pytest.mark.parametrize(
    ("answer", "references", "finish_reason", "reason"),
    [
        ("the sum 9 * 2 = 18", ("18",), "length", "cut"),
        ("I do not know", ("18",), "stop", "holds no number"),
        ("18", ("a few",), "stop", "no reference number"),
        ("18", (), "stop", "no reference answers"),
    ],
)
def test_what_cannot_be_compared_is_no_match(
    answer: str, references: tuple[str, ...], finish_reason: str, reason: str
) -> None:
    verdict = numeric(answer, references, finish_reason)
    assert verdict.value is LabelValue.NO_MATCH
    assert reason in verdict.reason


def test_a_huge_number_does_not_flood_the_reason() -> None:
    assert len(numeric("9" * 5000, ("18",)).reason) < 100


def test_worked_solutions_are_read_to_their_end(reference: Path) -> None:
    """GSM8K's own solutions without the line that marks the answer; the last number alone is another one in 37."""
    found: Counter[str] = Counter()
    for line in (reference / "gsm8k_test.jsonl").read_text(encoding="utf-8").splitlines():
        steps, _, answer = json.loads(line)["answer"].partition("####")
        found[numeric(re.sub("<<.*?>>", "", steps).strip(), (answer.strip(),)).value] += 1
    assert found[LabelValue.CORRECT] >= 1285
    # Cents for dollars, a time of day, and a number of a note.
    assert found[LabelValue.INCORRECT] <= 6


@pytest.mark.parametrize(
    "text", ["Take 7 of 9. " * 2000 + "That makes 18.", "The answer is 18. " + "Take 7 of 9. " * 2000]
)
def test_a_long_answer_is_read_where_it_settles(text: str) -> None:
    assert numeric(text, ("18",)).value is LabelValue.CORRECT
