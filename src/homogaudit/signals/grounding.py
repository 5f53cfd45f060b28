"""B5, `grounding`: whether the passages that came with a question support the answer.

Without an NLI model nearness of embeddings stands for entailment: it sees that no sentence is about what the answer
says, not that a sentence denies it. The reference answers are never looked at.
"""

import re
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.entailment import ENTAILMENT, PairScores
from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import Unavailable
from homogaudit.signals.run_inputs import Embed, RunInputs

_BOUNDARY = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])[\"')\]\u201d\u2019]*\s+(?=\S)|\n+|(?<=[\u3002\uff01\uff1f])")
_LONGEST = 1000
"""Characters of a sentence: embedders cut what is longer without a word."""
_CHUNK = 2048
"""Texts embedded in one call, so that the vectors of all passages never lie in memory at once."""


def grounding(inputs: RunInputs) -> dict[str, float | Unavailable]:
    """Return 1 - the highest entailment of each greedy answer by a sentence of its question's passages.

    Without an NLI model the highest cosine stands for it, cut off below 0. The answer is compared alone: with the
    question before it, every passage on the question's topic is near, whatever the answer says. The cost is linear in
    the sentences.

    Source: arXiv 2603.24124 (B5).
    """
    if inputs.pair_scores is not None:
        distances = partial(_not_entailed, pair_scores=inputs.pair_scores)
    elif inputs.embed is not None:
        distances = partial(_distances, embed=inputs.embed)
    else:
        raise UndefinedStatisticError("there is no embedder")
    values: dict[str, float | Unavailable] = {}
    waiting: dict[str, tuple[str, ...]] = {}
    for question in inputs.questions:
        greedy = inputs.greedy.get(question.id)
        texts = sentences(question.passages)
        if not texts:
            values[question.id] = Unavailable("the question has no passages")
        elif greedy is None or not greedy.is_valid:
            values[question.id] = Unavailable("there is no greedy answer to ground")
        else:
            waiting[question.id] = (greedy.answer, *texts)
            if sum(map(len, waiting.values())) >= _CHUNK:
                values |= distances(waiting)
                waiting.clear()
    return values | distances(waiting)


def sentences(passages: Sequence[str]) -> tuple[str, ...]:
    """Return the distinct sentences of passages, in order, parted after their final marks and at line ends.

    Args:
        passages: Texts of any length; a sentence of more than 1,000 characters comes in several parts.
    """
    parts = (part.strip() for passage in passages for part in _BOUNDARY.split(passage))
    whole = [part[i : i + _LONGEST] for part in parts for i in range(0, len(part), _LONGEST)]
    return tuple(dict.fromkeys(text for text in whole if text.strip()))


def _not_entailed(groups: dict[str, tuple[str, ...]], pair_scores: PairScores) -> dict[str, float]:
    """Return for each group 1 - the highest probability that one of its other texts entails the first."""
    pairs = [(other, answer) for answer, *others in groups.values() for other in others]
    entailed = iter(pair_scores(pairs)[:, ENTAILMENT].tolist() if pairs else ())
    return {question_id: 1.0 - max(next(entailed) for _ in texts[1:]) for question_id, texts in groups.items()}


def _distances(groups: dict[str, tuple[str, ...]], embed: Embed) -> dict[str, float]:
    """Return for each group 1 - the highest cosine of its first text with the others; each text is embedded once."""
    if not groups:
        return {}
    rows = {text: row for row, text in enumerate(dict.fromkeys(text for texts in groups.values() for text in texts))}
    vectors: NDArray[np.float64] = np.asarray(embed(list(rows)), dtype=np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    distances: dict[str, float] = {}
    for question_id, (answer, *others) in groups.items():
        cosines = vectors[[rows[text] for text in others]] @ vectors[rows[answer]]
        distances[question_id] = 1.0 - float(np.clip(cosines.max(), 0.0, 1.0))
    return distances
