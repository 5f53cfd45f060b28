import pytest

from homogaudit.labels.judges import label
from homogaudit.records import Generation, GenerationState, LabelValue, Question


def judged(reference: str, answer: str) -> LabelValue:
    question = Question("q", "is the sky blue", answers=(reference,))
    return label(question, Generation("q", -1, answer, answer, GenerationState.VALID, "stop"), "exact").value


@pytest.mark.parametrize("reference", ["yes", "true", "Yes."])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Yes, the sky is blue.", LabelValue.CORRECT),
        ("**Yes**", LabelValue.CORRECT),
        ("True.", LabelValue.CORRECT),
        ("That is true.", LabelValue.CORRECT),
        ("Yes, there is no doubt.", LabelValue.CORRECT),
        ("No", LabelValue.INCORRECT),
        ("No, yes is not right.", LabelValue.INCORRECT),
        ("That is not true.", LabelValue.INCORRECT),
        ("It isn't true.", LabelValue.INCORRECT),
        ("The answer is no.", LabelValue.INCORRECT),
        ("The sky is blue.", LabelValue.NO_MATCH),
        ("It is no longer blue.", LabelValue.NO_MATCH),
        ("Yes and no.", LabelValue.AMBIGUOUS),
        ("Yes, but actually no", LabelValue.AMBIGUOUS),
        ("No, wait, yes.", LabelValue.AMBIGUOUS),
        ("Yes/No", LabelValue.AMBIGUOUS),
        ("True or false: true", LabelValue.AMBIGUOUS),
        ("No the sky is grey", LabelValue.INCORRECT),
        ("That's not correct", LabelValue.INCORRECT),
        ("That's correct", LabelValue.CORRECT),
        ("No idea", LabelValue.NO_MATCH),
        ("No one knows.", LabelValue.NO_MATCH),
        ("No doubt about it.", LabelValue.NO_MATCH),
        ("No sky is ever that.", LabelValue.NO_MATCH),
    ],
)
def test_yes_is_what_an_answer_says_first(reference: str, answer: str, expected: LabelValue) -> None:
    assert judged(reference, answer) is expected


@pytest.mark.parametrize("reference", ["no", "false"])
def test_no_is_not_found_inside_a_yes(reference: str) -> None:
    assert judged(reference, "Yes, there is no doubt.") is LabelValue.INCORRECT
    assert judged(reference, "No, it is grey.") is LabelValue.CORRECT
