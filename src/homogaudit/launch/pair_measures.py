"""How well each clustering tells answers of one meaning from answers of different ones, on pairs labelled by hand.

`python -m homogaudit.launch.pair_measures` fits the model of meaning to the packaged pairs for the default embedder,
calibrates it on subjects that were held out, and writes what the package ships of both: `meaning.json` and
`measured.json`. Nothing that is measured was fitted to the subject it is measured on.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering import meaning, measured
from homogaudit.clustering.answer_pairs import AnswerPair, AnswerPairs, load_answer_pairs, pair_cosines
from homogaudit.clustering.embedders import Embedder
from homogaudit.clustering.meaning import MeaningFit, shipped_fit
from homogaudit.clustering.meaning_fit import FittedMeaning, fit_meaning, meaning_of_pairs, subjects_of
from homogaudit.clustering.methods import choose_methods
from homogaudit.clustering.similarity import jaccard_similarity
from homogaudit.records import ClusteringMethod
from homogaudit.statistics import Estimate
from homogaudit.statistics.pair_threshold import (
    PairSeparation,
    auroc_gain,
    interval_of_splits,
    pair_separation,
    threshold_of_splits,
)

_DRAWS = 4000


@dataclass(frozen=True, slots=True)
class MeasuredMethod:
    """One clustering, measured on pairs.

    Attributes:
        method: With its threshold.
        similarity: (n,) of the pairs.
        separation: On all of them; by subject, or by question where none is named.
        gain: AUROC minus that of the cosine, `None` of the cosine itself.
    """

    method: ClusteringMethod
    similarity: NDArray[np.float64]
    separation: PairSeparation
    gain: Estimate | None = None


class RememberingEmbedder:
    """An embedder that embeds each text once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, NDArray[np.float32]] = {}

    @property
    def name(self) -> str:
        """That of the embedder."""
        return self._embedder.name

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return what the embedder does."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= dict(zip(new, self._embedder.embed(new), strict=True))
        return np.stack([self._known[text] for text in texts]) if texts else self._embedder.embed([])


def measure(file: AnswerPairs, embedder: Embedder, key: str) -> dict[str, MeasuredMethod]:
    """Measure the clusterings of a run with an embedder, by name.

    Where the shipped model of meaning was fitted to these very pairs, each is judged by models that saw no pair of its
    subject.

    Args:
        file: The pairs.
        embedder: Whose vectors are compared.
        key: Its key, by which its model of meaning is found.

    Raises:
        EmbedderError: The embedder fails.
    """
    pairs = file.pairs
    similarities = {
        "jaccard": np.asarray([jaccard_similarity([pair.a, pair.b])[0, 1] for pair in pairs]),
        "embedding": pair_cosines(pairs, embedder),
    }
    if (fit := shipped_fit(key)) is not None:
        is_fitted = fit.pairs_sha256 == file.sha256
        similarities["meaning"] = (
            fit_meaning(pairs, embedder).held_out if is_fitted else meaning_of_pairs(pairs, embedder, fit)
        )
    methods = {method.name: method for method in choose_methods(embedder=key, numeric=False)}
    return _measured({methods[name]: similarity for name, similarity in similarities.items()}, pairs)


def _measured(
    similarities: Mapping[ClusteringMethod, NDArray[np.float64]], pairs: tuple[AnswerPair, ...]
) -> dict[str, MeasuredMethod]:
    same, subjects = [pair.same for pair in pairs], subjects_of(pairs)
    cosine = next(values for method, values in similarities.items() if method.similarity == "embedding")
    return {
        method.name: MeasuredMethod(
            method,
            values,
            pair_separation(values, same, subjects, method.threshold or 1.0, draws=_DRAWS),
            None if values is cosine else auroc_gain(values, cosine, same, subjects, draws=_DRAWS),
        )
        for method, values in similarities.items()
    }


def _shipped_fit(fitted: FittedMeaning, file: AnswerPairs) -> MeaningFit:
    """Return the model as it is shipped: weights that can be read, and the threshold that its held-out pairs set."""
    threshold = threshold_of_splits(fitted.held_out, [pair.same for pair in file.pairs])
    weights = {term: round(weight, 4) for term, weight in fitted.weights.items()}
    # Down, so that no more are split.
    return MeaningFit(math.floor(threshold * 1000) / 1000, round(fitted.intercept, 4), weights, file.sha256)


def _threshold_interval(measured: MeasuredMethod, pairs: Sequence[AnswerPair]) -> list[float | int | None] | None:
    """Return the threshold that the pairs set and its interval over subjects; only that of `meaning` is set by them."""
    if measured.method.similarity != "meaning":
        return None
    same = [pair.same for pair in pairs]
    found = interval_of_splits(measured.similarity, same, subjects_of(pairs), draws=_DRAWS)
    assert found is not None
    # Outwards, so that nothing plausible is left out.
    ends = (math.floor(found.low * 1000) / 1000, math.ceil(found.high * 1000) / 1000)
    return [measured.method.threshold, *ends, len(pairs)]


def _numbers(estimate: Estimate) -> list[float | int | None]:
    rounded = [None if x is None else round(x, 4) for x in (estimate.value, estimate.low, estimate.high)]
    return [*rounded, estimate.n]


def _write_shipped() -> None:
    from homogaudit.clustering.load_embedder import load_embedder
    from homogaudit.config import load_models, resource
    from homogaudit.launch.embedder_choice import resolve_job_embedder

    job, reason = resolve_job_embedder(None, load_models(None), wanted=True)
    if job is None:
        raise SystemExit(reason)
    file = load_answer_pairs(resource("samples") / "answer_pairs.jsonl")
    embedder = RememberingEmbedder(load_embedder(job, ()))
    fit = _shipped_fit(fit_meaning(file.pairs, embedder), file)
    _write(
        meaning.PATH,
        {
            job.key.partition("#")[2]: {
                "embedder": job.name,
                "pairs_sha256": fit.pairs_sha256,
                "threshold": fit.threshold,
                "intercept": fit.intercept,
                "weights": dict(fit.weights),
            }
        },
    )
    meaning.forget_shipped()
    _write(
        measured.PATH, {"pairs_sha256": file.sha256, "measured": shipped_rows(file, measure(file, embedder, job.key))}
    )


def shipped_rows(file: AnswerPairs, found: Mapping[str, MeasuredMethod]) -> list[dict[str, Any]]:
    """Return what was measured on all pairs and on those from runs, as `measured.json` holds it."""
    rows: list[dict[str, Any]] = []
    for source in (None, "run"):
        places = [place for place, pair in enumerate(file.pairs) if source in (None, pair.source)]
        pairs = tuple(file.pairs[place] for place in places)
        for name, one in _measured({x.method: x.similarity[places] for x in found.values()}, pairs).items():
            rows.append(
                {
                    "clustering": name,
                    "embedder": (one.method.embedder or "").partition("#")[2],
                    "threshold": one.method.threshold,
                    "pairs": "all" if source is None else source,
                    "auroc": _numbers(one.separation.auroc),
                    "false_merges": _numbers(one.separation.false_merges),
                    "false_splits": _numbers(one.separation.false_splits),
                    "auroc_gain": None if one.gain is None else _numbers(one.gain),
                    "threshold_interval": _threshold_interval(one, pairs) if source is None else None,
                }
            )
    return rows


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write_shipped()
