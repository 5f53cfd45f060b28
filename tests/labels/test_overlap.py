import json
from pathlib import Path

import pytest

from homogaudit.labels.judges import label
from homogaudit.labels.overlap import FUNCTION_WORDS
from homogaudit.records import GREEDY, Generation, GenerationState, LabelValue, Question


def overlap(answer: str, correct: tuple[str, ...], incorrect: tuple[str, ...]) -> LabelValue:
    question = Question("q", "?", answers=correct, incorrect_answers=incorrect)
    greedy = Generation("q", GREEDY, answer, answer, GenerationState.VALID)
    return label(question, greedy, "overlap").value


def test_the_function_words_are_those_of_the_published_labels(reference: Path) -> None:
    assert frozenset((reference / "function_words.txt").read_text(encoding="utf-8").split()) == FUNCTION_WORDS


def test_all_790_recorded_labels_are_reproduced(reference: Path) -> None:
    disagreeing: list[str] = []
    lines = (reference / "qwen3-14b.greedy.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    for line in lines:
        row = json.loads(line)
        value = overlap(row["greedy"]["text"], tuple(row["answers"]), tuple(row["incorrect_answers"]))
        if value != row["label"]:
            disagreeing.append(row["id"])
    assert (len(lines), disagreeing) == (790, [])


def test_the_best_reference_of_each_side_counts() -> None:
    # {seeds, pass}: 2/2 with the second correct answer, 1/3 with the incorrect one
    assert overlap("The seeds pass.", ("nothing", "seeds pass"), ("seeds grow",)) is LabelValue.CORRECT
    assert overlap("The seeds grow.", ("seeds pass",), ("you die", "seeds grow")) is LabelValue.INCORRECT


# Words w0..w19 of the answer; a reference of its first k words overlaps by k / 20 exactly.
ANSWER = " ".join("abcdefghijklmnopqrst"[i] * 3 for i in range(20))


@pytest.mark.parametrize(
    ("correct", "incorrect", "expected"),
    [
        (3, 4, LabelValue.AMBIGUOUS),  # 0.15 and 0.20: a margin of exactly 0.05 does not decide
        (4, 3, LabelValue.AMBIGUOUS),
        (3, 2, LabelValue.NO_MATCH),  # 0.15 and 0.10: exactly 0.1 is not above it
        (1, 0, LabelValue.NO_MATCH),
        (2, 0, LabelValue.CORRECT),
        (0, 2, LabelValue.INCORRECT),
        (5, 3, LabelValue.CORRECT),
        (0, 0, LabelValue.NO_MATCH),
    ],
)
def test_margins_are_exact(correct: int, incorrect: int, expected: LabelValue) -> None:
    words = ANSWER.split()
    # The answer's twenty words never lie all in a reference, so the union is the answer's words.
    assert overlap(ANSWER, (" ".join(words[:correct]),), (" ".join(words[:incorrect]),)) is expected


def test_without_references_there_is_no_match() -> None:
    assert overlap("anything", (), ()) is LabelValue.NO_MATCH
    assert overlap("of the and", ("of the",), ("and",)) is LabelValue.NO_MATCH
