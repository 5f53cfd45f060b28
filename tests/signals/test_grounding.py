from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.records import GREEDY, Generation, GenerationState, Question
from homogaudit.signals import grounding as grounding_module
from homogaudit.signals.grounding import sentences
from homogaudit.signals.registry import RunInputs, compute_run_signals

LETTERS = "abc"


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.array([[text.count(letter) for letter in LETTERS] for text in texts], dtype=np.float32)


def answer(question_id: str, text: str, state: GenerationState = GenerationState.VALID) -> Generation:
    return Generation(question_id, GREEDY, text, text, state)


def found(
    asked: Sequence[Question], answers: Sequence[Generation], embedder: object = embed
) -> dict[str, tuple[float | None, str]]:
    inputs = RunInputs(asked, {x.question_id: x for x in answers}, embed=embedder)  # type: ignore[arg-type]
    return {value.question_id: (value.value, value.reason) for value in compute_run_signals(inputs, ["grounding"])}


def test_grounding_is_the_distance_to_the_nearest_sentence() -> None:
    asked = [
        Question("q", "?", passages=("b b. a b.", "c.")),
        Question("exact", "?", passages=("a. b.",)),
        Question("far", "?", passages=("b.", "c.")),
    ]
    values = found(asked, [answer(x.id, "a") for x in asked])
    # (1, 0, 0) against (0, 1, 0), (1, 1, 0), (0, 0, 1): 1/sqrt 2
    assert values["q"][0] == pytest.approx(1 - 1 / np.sqrt(2))
    assert values["exact"][0] == pytest.approx(0.0)
    assert values["far"][0] == pytest.approx(1.0)


def test_what_cannot_be_grounded_is_told_apart() -> None:
    asked = [
        Question("none", "?"),
        Question("blank", "?", passages=(" \n ",)),
        Question("undrawn", "?", passages=("a.",)),
        Question("empty", "?", passages=("a.",)),
    ]
    values = found(asked, [answer("none", "a"), answer("blank", "a"), answer("empty", "", GenerationState.EMPTY)])
    assert {value for value, _ in values.values()} == {None}
    assert values["none"][1] == values["blank"][1] == "the question has no passages"
    assert values["undrawn"][1] == values["empty"][1] == "there is no greedy answer to ground"


def test_the_reference_answers_are_never_looked_at() -> None:
    texts: list[str] = []

    def counting(given: Sequence[str]) -> NDArray[np.float32]:
        texts.extend(given)
        return embed(given)

    asked = Question("q", "Who?", answers=("b",), incorrect_answers=("c",), passages=("a.", "a a."))
    found([asked], [answer("q", "a")], counting)
    assert texts == ["a", "a.", "a a."]


def test_many_questions_are_embedded_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def counting(given: Sequence[str]) -> NDArray[np.float32]:
        sizes.append(len(given))
        return embed(given)

    asked = [Question(str(i), "?", passages=("a" * (i + 1) + "b.",)) for i in range(7)]
    whole = found(asked, [answer(x.id, "a") for x in asked])
    monkeypatch.setattr(grounding_module, "_CHUNK", 4)
    parts = found(asked, [answer(x.id, "a") for x in asked], counting)
    assert {name: value for name, (value, _) in parts.items()} == pytest.approx(
        {name: value for name, (value, _) in whole.items()}
    )
    assert len(sizes) == 4
    assert list(parts) == list(whole)


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        ("One. Two! Three?", ("One.", "Two!", "Three?")),
        ("One\nTwo\n\nThree", ("One", "Two", "Three")),
        ("Same. Same. Other.", ("Same.", "Other.")),
        ("It cost 3.5 euros.", ("It cost 3.5 euros.",)),
        ("\u4e00\u3002\u4e8c\u3002", ("\u4e00\u3002", "\u4e8c\u3002")),
        ("", ()),
    ],
)
def test_sentences_of_a_passage(passage: str, expected: tuple[str, ...]) -> None:
    assert sentences([passage]) == expected


def test_a_sentence_too_long_for_an_embedder_comes_in_parts() -> None:
    # Two parts of 1,000 letters and the rest: the equal ones count once.
    assert [len(part) for part in sentences(["a" * 2500])] == [1000, 500]
