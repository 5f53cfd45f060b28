from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.records import Question
from homogaudit.signals.registry import RunInputs, compute_run_signals

VECTORS = {"Rome": [1.0, 0.0], "Paris": [0.6, 0.8], "Kant": [0.0, 2.0]}


def embed(texts: Sequence[str]) -> NDArray[np.float64]:
    return np.array([VECTORS[text] for text in texts])


def found(inputs: RunInputs) -> dict[str, tuple[float | None, str]]:
    return {value.question_id: (value.value, value.reason) for value in compute_run_signals(inputs, ["association"])}


def test_association_is_the_mean_distance_of_the_pairs() -> None:
    asked = [
        Question("two", "Is Rome older than Paris?"),
        Question("three", "Was Kant ever in Rome or in Paris?"),
        Question("one", "Where is Rome?"),
        Question("none", "Why is the sky blue?"),
    ]
    values = found(RunInputs(asked, embed=embed))
    # cosines: Rome-Paris 0.6, Rome-Kant 0, Paris-Kant 0.8
    assert values["two"][0] == pytest.approx(0.4)
    assert values["three"][0] == pytest.approx((0.4 + 1.0 + 0.2) / 3)
    assert values["one"] == (None, "one entity has no distance")
    assert values["none"] == (None, "no entity was found in the question")


def test_every_entity_of_a_run_is_embedded_once() -> None:
    calls: list[list[str]] = []

    def counting(texts: Sequence[str]) -> NDArray[np.float64]:
        calls.append(list(texts))
        return embed(texts)

    asked = [Question(str(i), "Is Rome older than Paris?") for i in range(5)] + [Question("x", "Where is Kant?")]
    found(RunInputs(asked, embed=counting))
    assert calls == [["Rome", "Paris"]]


def test_another_extractor_can_be_plugged_in() -> None:
    inputs = RunInputs(
        [Question("q", "rome paris rome")], embed=embed, extract_entities=lambda text: text.title().split()
    )
    assert found(inputs)["q"][0] == pytest.approx(0.4)


def test_without_an_embedder_the_reason_says_so() -> None:
    assert found(RunInputs([Question("q", "Is Rome older than Paris?")])) == {"q": (None, "there is no embedder")}


def test_a_run_without_entities_embeds_nothing() -> None:
    def refuse(texts: Sequence[str]) -> NDArray[np.float64]:
        raise AssertionError

    assert found(RunInputs([Question("q", "why?")], embed=refuse))["q"][0] is None
