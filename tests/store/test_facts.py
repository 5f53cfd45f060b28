"""Facts of a run file with their types: as they were stored by every version, and as somebody else wrote them."""

from collections.abc import Callable
from datetime import date

import pytest

from homogaudit.errors import RunFileError
from homogaudit.events import JobEmbedder
from homogaudit.records import ClusteringMethod
from homogaudit.store import ModelSource, RunFile, Scoring

SCORED_BY_0_1_0 = {
    "judge": "exact",
    "judge_reason": "fits the reference answers of most questions",
    "embedder": "minilm",
    "embedder_key": "minilm#1",
    "embedder_source": {
        "name": "minilm",
        "key": "minilm#1",
        "location": "/models/minilm",
        "revision": None,
        "prompt": "",
    },
    "embedder_reason": "",
    "methods": [{"similarity": "embedding", "linkage": "average", "threshold": 0.85, "embedder": "minilm#1"}],
    "signals": ["density"],
    "density_pool": None,
}


def test_a_scoring_of_0_1_0_is_read(make_run: Callable[..., RunFile]) -> None:
    with make_run() as run:
        assert run.scoring is None
        run.set_meta("scoring", SCORED_BY_0_1_0)
        assert run.scoring == Scoring(
            judge="exact",
            judge_reason="fits the reference answers of most questions",
            embedder_source=JobEmbedder("minilm", "minilm#1", "/models/minilm"),
            methods=(ClusteringMethod("embedding", "average", 0.85, "minilm#1"),),
            signals=("density",),
        )


def test_questions_stay_scored_under_the_key_that_0_1_0_marked_them_with(make_run: Callable[..., RunFile]) -> None:
    with make_run() as run:
        run.set_meta("scoring", SCORED_BY_0_1_0)
        assert run.scoring is not None
        # What its scorer wrote: the judge, the methods' keys, the signals.
        assert run.scoring.key == '["exact", "embedding|average|0.85|minilm#1", "density"]'
        run.set_meta("scoring", {**SCORED_BY_0_1_0, "density_pool": "/pool.jsonl"})
        assert run.scoring.key.endswith('"density", {"pool": "/pool.jsonl"}]')


def test_a_scoring_comes_back_as_it_was_stored(make_run: Callable[..., RunFile]) -> None:
    scoring = Scoring("overlap", "asked", methods=(ClusteringMethod("answer", "single", None),))
    with make_run() as run:
        run.scoring = scoring
        assert run.scoring == scoring


def test_a_model_is_told_by_the_parameters_and_by_its_entry_whose_numbers_0_1_0_stored_as_texts(
    make_run: Callable[..., RunFile],
) -> None:
    with make_run(model={"kind": "gguf", "fingerprint": {"size": 7}}) as run:
        entry = {"location": "/m.gguf", "training_cutoff": "2024-06-01", "context_length": "4096"}
        run.set_meta("model_entry", entry | {"price_per_million_tokens": "2.5", "unknown": 1})
        source = run.model_source
        assert source == ModelSource(
            name=run.model,
            kind="gguf",
            fingerprint={"size": 7},
            location="/m.gguf",
            training_cutoff=date(2024, 6, 1),
            context_length=4096,
            price_per_million_tokens=2.5,
        )
        run.note_model_entry(source)
        assert run.model_source == source
        # What tells one run from another stands in the parameters alone.
        assert set(run.meta("model_entry")) == {*entry, "price_per_million_tokens"}


def test_the_model_of_recorded_answers_has_a_name_alone(make_run: Callable[..., RunFile]) -> None:
    with make_run(recorded=True) as run:
        assert run.model_source == ModelSource(name=run.model)
        assert run.is_recorded


@pytest.mark.parametrize("stored", ["embedding", {"methods": 3}, {"methods": [{"similarity": "jaccard"}]}, 7])
def test_a_fact_that_is_none_is_one_clear_error(make_run: Callable[..., RunFile], stored: object) -> None:
    with make_run() as run:
        run.set_meta("scoring", stored)
        with pytest.raises(RunFileError, match=r"the fact `scoring` of `.*` cannot be read: "):
            _ = run.scoring
