"""Figures of diversity that take longer than a report should: computed once all questions are scored, and stored.

Their means over questions and the intervals are the report's.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from homogaudit.records import SampleSet
from homogaudit.report.run_data import RunData, read_run
from homogaudit.statistics.diversity import (
    MOST_QUESTIONS,
    compression_ratio,
    distinct_n,
    self_bleu,
    vendi_scores,
)
from homogaudit.store import RunFile

_OF_TEXTS: Mapping[str, Callable[[Sequence[str]], float]] = {
    "distinct_1": lambda texts: distinct_n(texts, 1),
    "distinct_2": lambda texts: distinct_n(texts, 2),
    "self_bleu": self_bleu,
    "compression_ratio": compression_ratio,
}
_SEED = 20261129
"""Of the questions that self-BLEU is taken of."""


def store_diversity(run: RunFile, scoring: str) -> None:
    """Store how diverse the answers to each fully valid question are, unless it is stored for this scoring.

    Args:
        run: Open for writing, all of its questions scored.
        scoring: Key of the scoring.
    """
    if run.diversity_of == scoring:
        return
    data = read_run(run, late=True)
    measures = _of_texts(data)
    for method in run.scoring.methods if run.scoring else ():
        found = data.similarities(method)
        scores = vendi_scores(found.matrices)
        # Of some questions alone it would be a mean over those that are easy.
        if not np.isnan(scores).any():
            measures["vendi_score", method.key] = dict(zip(found.question_ids, scores.tolist(), strict=True))
    with run.transaction():
        run.replace_diversity(measures)
        run.diversity_of = scoring


def _of_texts(data: RunData) -> dict[tuple[str, str], dict[str, float]]:
    sets: Sequence[SampleSet] = data.fully_valid
    bleu = range(len(sets))
    if len(sets) > MOST_QUESTIONS:
        bleu = set(np.random.default_rng(_SEED).choice(len(sets), MOST_QUESTIONS, replace=False).tolist())
    found: dict[tuple[str, str], dict[str, float]] = {(name, ""): {} for name in _OF_TEXTS}
    for place, x in enumerate(sets):
        texts = [sample.answer for sample in x.samples]
        for name, measure in _OF_TEXTS.items():
            if (name != "self_bleu" or place in bleu) and not math.isnan(value := measure(texts)):
                found[name, ""][x.question.id] = value
    return found
