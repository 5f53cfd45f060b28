import pytest

from homogaudit.labels.judges import label
from homogaudit.records import GREEDY, Generation, GenerationState, LabelValue, Question


def exact(
    answer: str, correct: tuple[str, ...], incorrect: tuple[str, ...] = (), *, finish_reason: str = "stop"
) -> LabelValue:
    question = Question("q", "?", answers=correct, incorrect_answers=incorrect)
    greedy = Generation("q", GREEDY, answer, answer, GenerationState.VALID, finish_reason)
    return label(question, greedy, "exact").value


@pytest.mark.parametrize(
    ("answer", "alias"),
    [
        ("Paris", "paris"),
        ("The capital is PARIS.", "Paris"),
        ("It is the Beatles!", "Beatles"),
        ("Beatles", "The Beatles"),
        ("He lived in the U.S. then", "US"),
        ("Vitamin A is stored there", "vitamin A"),
        ("It weighs 1,200 kg", "1200 kg"),
        ("pi is 3.14.", "3.14"),
        ("L\u2019\u00c9t\u00e9", "l'\u00e9t\u00e9"),
        ("\uff30\uff41\uff52\uff49\uff53", "Paris"),
        ("\u9996\u90fd\u662f\u5df4\u9ece\u3002", "\u5df4\u9ece"),
        ("No, it is Paris.", "Paris"),
        ("It is not Lyon but Paris.", "Paris"),
        ("Not only Paris, Lyon too", "Paris"),
        ("It is not Paris. In fact it was Paris once.", "Paris"),
    ],
)
def test_an_answer_that_holds_the_alias_is_correct(answer: str, alias: str) -> None:
    assert exact(answer, (alias,)) is LabelValue.CORRECT


@pytest.mark.parametrize(
    ("answer", "alias"),
    [
        ("Parisian fashion", "Paris"),
        ("Rome", "Paris"),
        ("It is not Paris.", "Paris"),
        ("It isn't Paris", "Paris"),
        ("It isn\u2019t in Paris", "Paris"),
        ("It was never the city of Paris", "Paris"),
        ("Vitamin C", "vitamin A"),
        ("12", "1.2"),
    ],
)
def test_an_answer_without_the_alias_or_with_it_negated_is_incorrect(answer: str, alias: str) -> None:
    assert exact(answer, (alias,)) is LabelValue.INCORRECT


def test_incorrect_answers_are_looked_for_too() -> None:
    assert exact("It is Rome", ("Paris",), ("Rome",)) is LabelValue.INCORRECT
    assert exact("Paris or Rome", ("Paris",), ("Rome",)) is LabelValue.AMBIGUOUS
    assert exact("It is Lyon", ("Paris",), ("Rome",)) is LabelValue.INCORRECT
    assert exact("It is Lyon", (), ("Rome",)) is LabelValue.NO_MATCH
    assert exact("Paris, not Rome", ("Paris",), ("Rome",)) is LabelValue.CORRECT


def test_an_answer_inside_a_longer_one_does_not_count_beside_it() -> None:
    assert exact("In New York City", ("New York City",), ("York",)) is LabelValue.CORRECT
    assert exact("In New York", ("York",), ("New York",)) is LabelValue.INCORRECT


def test_a_truncated_answer_is_correct_or_unknown() -> None:
    assert exact("It is Paris and", ("Paris",), finish_reason="length") is LabelValue.CORRECT
    assert exact("Well, let me", ("Paris",), finish_reason="length") is LabelValue.NO_MATCH


def test_aliases_without_words_match_nothing() -> None:
    assert exact("anything!", ("!", "")) is LabelValue.INCORRECT


def test_what_stands_far_from_a_name_does_not_deny_it() -> None:
    assert exact("It is not cold. " + "So they say. " * 2000 + "It is Paris.", ("Paris",)) is LabelValue.CORRECT
    assert exact("Not so. " * 2000 + "It is not Paris.", ("Paris",)) is LabelValue.INCORRECT
