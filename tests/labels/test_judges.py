import time

import pytest

from homogaudit.errors import UsageError
from homogaudit.labels.judges import JUDGES, RECORDED, default_judge, label
from homogaudit.records import GREEDY, Generation, GenerationState, LabelValue, Question

MISCONCEPTION = Question("m", "?", answers=("nothing at all happens to you",), incorrect_answers=("you die",))
FACT = Question("f", "?", answers=("Paris",))
SUM = Question("s", "?", answers=("$1,234",))
OPEN = Question("o", "?")


@pytest.mark.parametrize("judge", list(JUDGES))
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (GenerationState.EMPTY, "empty"),
        (GenerationState.THINKING_UNCLOSED, "thinking"),
        (GenerationState.ERROR, "failed"),
    ],
)
def test_a_greedy_answer_that_is_not_valid_is_no_match(judge: str, state: GenerationState, reason: str) -> None:
    greedy = Generation("f", GREEDY, "Paris 18", "", state)
    verdict = label(FACT, greedy, judge)
    assert (verdict.question_id, verdict.judge, verdict.value) == ("f", judge, LabelValue.NO_MATCH)
    assert reason in verdict.reason


def test_without_a_greedy_answer_there_is_no_match() -> None:
    assert label(FACT, None, "exact").value is LabelValue.NO_MATCH


def test_an_unknown_judge_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="`exakt`") as caught:
        label(FACT, None, "exakt")
    assert caught.value.hint == "did you mean `exact` or `nearest`?"


def test_recorded_labels_have_a_name_and_no_judge() -> None:
    assert RECORDED not in JUDGES


def test_every_judge_explains_itself() -> None:
    for name, judge in JUDGES.items():
        assert judge.name == name
        assert judge.definition
        assert judge.source


@pytest.mark.parametrize(
    ("questions", "judge"),
    [
        ([MISCONCEPTION], "overlap"),
        ([FACT], "exact"),
        ([SUM], "numeric"),
        ([OPEN], None),
        ([Question("n", "?", answers=("Paris",), incorrect_answers=("Rome",))], "exact"),
        ([], None),
        ([OPEN, OPEN, FACT], "exact"),
        ([FACT, FACT, SUM], "exact"),
        ([SUM, SUM, FACT, MISCONCEPTION], "numeric"),
        ([SUM, FACT], "numeric"),
        ([FACT, SUM, MISCONCEPTION], "overlap"),
        ([Question("n", "?", answers=("4",), incorrect_answers=("5",))], "numeric"),
    ],
)
def test_the_judge_of_most_questions_is_the_default(questions: list[Question], judge: str | None) -> None:
    assert default_judge(questions) == judge


@pytest.mark.parametrize("judge", [name for name, judge in JUDGES.items() if judge.decide is not None])
@pytest.mark.parametrize("piece", ["\u00bd", "**", "\n", "1 ", "the answer is ", "not ", "(", "A. ", "\\boxed{"])
def test_an_answer_that_repeats_itself_without_end_is_judged_in_time(judge: str, piece: str) -> None:
    text = piece * (20_000 // len(piece))
    question = Question("q", "What is it?", answers=("5",), incorrect_answers=("Rome",))
    begun = time.process_time()
    label(question, Generation("q", GREEDY, text, text, GenerationState.VALID, "stop", None), judge)
    # Each takes at most a second or two; where time grows with the square it took minutes.
    assert time.process_time() - begun < 15
