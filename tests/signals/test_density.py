import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from homogaudit.records import Question
from homogaudit.signals import density as density_module
from homogaudit.signals.registry import RunInputs, compute_run_signals
from homogaudit.signals.run_inputs import ReferencePool


def questions(texts: list[str]) -> list[Question]:
    return [Question(f"q{i}", text) for i, text in enumerate(texts)]


def rows(n: int, d: int = 8, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def values(inputs: RunInputs) -> list[float | None]:
    return [value.value for value in compute_run_signals(inputs, ["density"])]


@settings(max_examples=25)
@given(st.integers(11, 60), st.integers(0, 1000))
def test_density_is_minus_the_mean_cosine_of_the_neighbours_of_scikit_learn(n: int, seed: int) -> None:
    embeddings = rows(n, seed=seed)
    neighbours = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(embeddings)
    # Without an argument scikit-learn leaves each row out of its own neighbours.
    expected = neighbours.kneighbors()[0].mean(axis=1) - 1
    found = values(RunInputs(questions([f"question {i}" for i in range(n)]), question_embeddings=embeddings))
    assert found == pytest.approx(expected.tolist(), abs=1e-5)


def test_density_does_not_depend_on_the_size_of_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = RunInputs(questions([f"question {i}" for i in range(50)]), question_embeddings=rows(50))
    whole = values(inputs)
    monkeypatch.setattr(density_module, "_CHUNK_BYTES", 4 * 50 * 7)
    assert values(inputs) == pytest.approx(whole, abs=1e-6)


def test_a_pool_that_holds_the_question_is_taken_without_it() -> None:
    # The pool holds 11 texts, one of them the question in another case: its cosine of 1 must not count.
    pool = np.vstack([np.eye(12)[0], np.tile([0.6, 0.8, *[0.0] * 10], (10, 1))])
    texts = ["WHO  is he? ", *(f"other {i}" for i in range(10))]
    inputs = RunInputs(
        questions(["Who is he?"]), question_embeddings=np.eye(12)[:1], reference=ReferencePool(texts, pool)
    )
    assert values(inputs) == pytest.approx([-0.6])
    other = RunInputs(
        questions(["Who is she?"]), question_embeddings=np.eye(12)[:1], reference=ReferencePool(texts, pool)
    )
    assert values(other) == pytest.approx([-(1 + 9 * 0.6) / 10])


def test_questions_asked_twice_are_not_their_own_neighbours() -> None:
    embeddings = np.vstack([np.tile(np.eye(3)[0], (2, 1)), np.tile([0.6, 0.8, 0.0], (10, 1))])
    found = values(RunInputs(questions(["a?", "A?", *"bcdefghijk"]), question_embeddings=embeddings))
    assert found[:2] == pytest.approx([-0.6, -0.6])


def test_a_small_pool_gives_no_value_but_a_reason() -> None:
    for n in (1, 5, 10):
        found = compute_run_signals(
            RunInputs(questions(list("abcdefghij")[:n]), question_embeddings=rows(n)), ["density"]
        )
        assert {(value.value, value.reason) for value in found} == {
            (None, "the reference pool holds fewer than 10 other questions")
        }
    assert None not in values(RunInputs(questions(list("abcdefghijk")), question_embeddings=rows(11)))


def test_questions_that_were_not_embedded_are_named() -> None:
    found = compute_run_signals(RunInputs(questions(["a", "b"])), ["density"])
    assert [value.reason for value in found] == ["the questions were not embedded"] * 2


def test_a_row_of_zeros_is_near_to_nothing() -> None:
    embeddings = np.vstack([np.zeros(8), rows(12)])
    assert values(RunInputs(questions([f"q {i}" for i in range(13)]), question_embeddings=embeddings))[0] == 0.0
