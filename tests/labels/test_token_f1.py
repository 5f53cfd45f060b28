import pytest

from homogaudit.labels.token_f1 import token_f1


@pytest.mark.parametrize(
    ("answer", "references", "expected"),
    [
        # Two of four words against two: precision 1/2, recall 1.
        ("It is Ada Lovelace.", ["Ada Lovelace"], 2 / 3),
        ("The  ADA, lovelace", ["an Ada Lovelace!"], 1.0),
        # The reference that shares most counts.
        ("Paris", ["London", "Paris in France"], 1 / 2),
        # A word counts as often as it stands: 1 shared of 3 and 2.
        ("no no no", ["no way"], 2 / 5),
        ("Berlin", ["Rome"], 0.0),
        ("", ["Rome"], 0.0),
        ("the", ["a"], 0.0),
        ("Rome", [], 0.0),
    ],
)
def test_f1_is_that_of_the_shared_words(answer: str, references: list[str], expected: float):
    assert token_f1(answer, references) == pytest.approx(expected)
