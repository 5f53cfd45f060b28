"""Models against each other: similarities, answers and errors in common, from runs whose vectors are known."""

import io
import json
from collections.abc import Callable
from itertools import combinations, product

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from homogaudit.comparison.across_records import Across
from homogaudit.comparison.build import compare
from homogaudit.comparison.layout import sections
from homogaudit.comparison.schema import schema
from homogaudit.comparison.summary import summary
from homogaudit.errors import UsageError
from homogaudit.report.console import render_sections
from homogaudit.report.json import dumps
from homogaudit.report.run_data import RunData
from homogaudit.report.section import HeatMap
from homogaudit.report.undefined import Undefined

from .conftest import EMBEDDING, Told, vector

EMBEDDER = str(EMBEDDING.embedder)
SAMPLES = {
    "one": [["rome"] * 4, ["bern", "bern", "bern", "oslo"], ["cork"] * 4, ["kiel", "", "kiel", "kiel"]],
    "two": [["rome"] * 4, ["bern", "bern", "oslo", "oslo"], ["nice"] * 4, ["kiel"] * 4],
    "three": [["rome"] * 4, ["graz", "graz", "bern", "bern"], ["nice"] * 4, ["kiel"] * 4],
}
"""By run and question; the last question lacks a sample in one run."""
LABELS = {
    "one": ("incorrect", "incorrect", "incorrect", "incorrect"),
    "two": ("incorrect", "correct", "incorrect", "incorrect"),
    "three": ("incorrect", "incorrect", "incorrect", "incorrect"),
}


@pytest.fixture
def runs(make: Callable[..., RunData]) -> list[RunData]:
    found: list[RunData] = []
    for name, samples in SAMPLES.items():
        told = [
            Told([x and f"{x} it is" for x in own], label) for own, label in zip(samples, LABELS[name], strict=True)
        ]
        data = make(name, told, method=EMBEDDING, embedder=EMBEDDER, model=name)
        # All greedy answers are one and the same text.
        data.run.add_embeddings(EMBEDDER, {"greedy": vector("greedy")})
        found.append(data)
    return found


def across(runs: list[RunData]) -> Across:
    found = compare(runs, across=True, draws=200).across
    assert isinstance(found, Across)
    return found


def cosine(one: str, other: str) -> float:
    # As stored, in float16.
    a, b = (vector(x).astype(np.float16).astype(np.float64) for x in (one, other))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_similarities_are_means_over_pairs_of_answers_and_then_questions(runs: list[RunData]) -> None:
    found = across(runs)
    assert found.questions == 3
    for name, own in found.runs.items():
        within = [np.mean([cosine(*pair) for pair in combinations(x, 2)]) for x in SAMPLES[name][:3]]
        assert own.similarity_within.value == pytest.approx(np.mean(within), abs=1e-6)
    between = {
        (one, other): np.mean(
            [
                np.mean([cosine(*pair) for pair in product(a, b)])
                for a, b in zip(SAMPLES[one][:3], SAMPLES[other][:3], strict=True)
            ]
        )
        for one, other in combinations(SAMPLES, 2)
    }
    assert {(x.first, x.second): x.similarity_between.value for x in found.pairs} == pytest.approx(between, abs=1e-6)
    assert found.similarity_between.value == pytest.approx(np.mean(list(between.values())), abs=1e-6)
    assert found.excess.value == pytest.approx(found.similarity_within.value - found.similarity_between.value)
    assert found.excess.n == 3 and found.excess.low is not None


def test_models_that_say_the_same_are_counted_and_named(runs: list[RunData]) -> None:
    found = across(runs)
    # Rome alone; and where half of the answers are Bern, it leads beside the other half.
    assert (found.one_answer.k, found.one_answer.n) == (1, 3)
    assert [(x.question_id, x.answer) for x in found.same] == [("q0", "greedy")]
    assert (found.same_leading_answer.k, found.same_leading_answer.n) == (2, 3)
    leading = {(x.first, x.second): x.same_leading_answer.k for x in found.pairs}
    assert leading == {("one", "two"): 2, ("one", "three"): 2, ("two", "three"): 3}


def test_shared_errors_are_wrong_and_the_same(runs: list[RunData]) -> None:
    found = across(runs)
    assert not isinstance(found.all_wrong, Undefined) and not isinstance(found.shared_errors, Undefined)
    assert (found.all_wrong.k, found.all_wrong.n) == (2, 3)
    assert (found.shared_errors.k, found.shared_errors.n) == (2, 2)
    assert [x.question_id for x in found.errors] == ["q0", "q2"]
    wrong = {(x.first, x.second): x.all_wrong.value for x in found.pairs}
    assert wrong == pytest.approx({("one", "two"): 2 / 3, ("one", "three"): 1, ("two", "three"): 2 / 3})


def test_every_output_has_it_where_it_was_asked_for(runs: list[RunData]) -> None:
    found = compare(runs, across=True, draws=50, full=True)
    stream = io.StringIO()
    render_sections((*sections(found), summary(found)), Console(file=stream, width=80))
    text = " ".join(stream.getvalue().split())
    assert "All are wrong on 2 questions, and say the same on 2 of 2 of them" in text
    (part,) = [x for section in sections(found) for x in section.parts if isinstance(x, HeatMap)]
    assert part.names == tuple(SAMPLES) and part.values[0][1] == part.values[1][0]
    Draft202012Validator(schema()).validate(json.loads(dumps(found)))
    plain = compare(runs, draws=50)
    assert plain.across == Undefined("shown with --across")
    assert "across" not in [section.key for section in sections(plain)]


def test_without_embeddings_of_one_embedder_the_command_that_makes_them_is_named(
    make: Callable[..., RunData],
) -> None:
    told = [Told(["rome it is"] * 4)]
    runs = [
        make("one", told, method=EMBEDDING, embedder=EMBEDDER, model="one"),
        make("two", told, model="two", embedder="other#1"),
    ]
    with pytest.raises(UsageError, match="`two` holds no embeddings") as raised:
        compare(runs, across=True, clustering="jaccard", force=True, draws=50)
    assert raised.value.hint is not None and "two.audit --embedder tiny" in raised.value.hint
