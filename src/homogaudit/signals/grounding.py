"""B5, `grounding`: whether the passages that came with a question support the answer.

A proxy: nearness of embeddings stands for entailment until an entailment model is there. It sees that no sentence is
about what the answer says, not that a sentence denies it. It never looks at the reference answers.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import Unavailable
from homogaudit.signals.run_inputs import Embed, RunInputs

__all__ = ["grounding", "sentences"]

_BOUNDARY = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])[\"')\]\u201d\u2019]*\s+(?=\S)|\n+|(?<=[\u3002\uff01\uff1f])")
_LONGEST = 1000
"""Characters of a sentence: embedders cut what is longer without a word."""
_CHUNK = 2048
"""Texts embedded in one call, so that the vectors of all passages never lie in memory at once."""


def grounding(inputs: RunInputs) -> dict[str, float | Unavailable]:
    """Return 1 - the highest cosine of each greedy answer with a sentence of its question's passages.

    The answer is compared alone: with the question before it, every passage on the question's topic is near, whatever
    the answer says. A cosine below 0 counts as 0. The cost is linear in the sentences.

    Source: arXiv 2603.24124 (B5), with an embedding proxy for entailment.
    """
    if inputs.embed is None:
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
                values |= _distances(waiting, inputs.embed)
                waiting.clear()
    return values | _distances(waiting, inputs.embed)


def sentences(passages: Sequence[str]) -> tuple[str, ...]:
    """Return the distinct sentences of passages, in order, parted after their final marks and at line ends.

    Args:
        passages: Texts of any length; a sentence of more than 1,000 characters comes in several parts.
    """
    parts = (part.strip() for passage in passages for part in _BOUNDARY.split(passage))
    whole = [part[i : i + _LONGEST] for part in parts for i in range(0, len(part), _LONGEST)]
    return tuple(dict.fromkeys(text for text in whole if text.strip()))


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
