"""B2, `density`: how many known questions lie near a question. It knows embeddings, not where they come from."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import Unavailable
from homogaudit.signals.run_inputs import ReferencePool, RunInputs

Float32Array = NDArray[np.float32]

NEAREST = 10
"""Neighbours whose mean cosine counts: arXiv 2603.24124 (B2)."""
_CHUNK_BYTES = 1 << 25
"""Memory of one block of cosines; a few blocks of this size exist at a time."""


def density(inputs: RunInputs) -> dict[str, float | Unavailable]:
    """Return minus the mean cosine of each question to the 10 nearest of the pool.

    The pool is `inputs.reference`, else the run's own questions. A pool that holds the question itself (the same text
    but for case and white space) is taken without it.

    Source: arXiv 2603.24124 (B2).
    """
    if inputs.question_embeddings is None:
        raise UndefinedStatisticError("the questions were not embedded")
    texts = [question.text for question in inputs.questions]
    pool = inputs.reference or ReferencePool(texts, inputs.question_embeddings)
    numbers: dict[str, int] = {}
    ids = _numbered(texts, numbers)
    means = nearest_mean_cosines(
        inputs.question_embeddings, pool.embeddings, ids=ids, pool_ids=_numbered(pool.texts, numbers)
    )
    missing = Unavailable(f"the reference pool holds fewer than {NEAREST} other questions")
    return {
        question.id: missing if np.isnan(mean) else -float(mean)
        for question, mean in zip(inputs.questions, means, strict=True)
    }


def nearest_mean_cosines(
    rows: NDArray[np.floating],
    pool: NDArray[np.floating],
    *,
    ids: NDArray[np.intp],
    pool_ids: NDArray[np.intp],
    nearest: int = NEAREST,
) -> NDArray[np.float64]:
    """Return the mean cosine of each row to its nearest rows of a pool.

    In blocks of rows: memory stays at a few times 32 MiB and the size of the pool, time is rows x pool x d.

    Args:
        rows: (n, d), of any length; a row of zeros has cosine 0 with everything.
        pool: (m, d).
        ids: (n,) number of each row's text.
        pool_ids: (m,) the same for the pool; a row is never compared with its own number.
        nearest: How many.

    Returns:
        (n,), NaN where the pool holds fewer than `nearest` others.
    """
    units, pool_units = _units(rows), _units(pool)
    means = np.full(len(units), np.nan)
    if len(pool_units) < nearest:
        return means
    step = max(1, _CHUNK_BYTES // (4 * len(pool_units)))
    for start in range(0, len(units), step):
        cosines = units[start : start + step] @ pool_units.T
        cosines[ids[start : start + step, None] == pool_ids[None, :]] = -np.inf
        cosines.partition(len(pool_units) - nearest, axis=1)
        best = np.sort(cosines[:, -nearest:], axis=1).astype(np.float64)
        means[start : start + step] = np.where(np.isfinite(best[:, 0]), np.clip(best, -1.0, 1.0).mean(axis=1), np.nan)
    return means


def _numbered(texts: Sequence[str], numbers: dict[str, int]) -> NDArray[np.intp]:
    """Return a number a text, equal for texts that differ only in case and white space."""
    folded = [" ".join(text.casefold().split()) for text in texts]
    return np.asarray([numbers.setdefault(text, len(numbers)) for text in folded], dtype=np.intp)


def _units(rows: NDArray[np.floating]) -> Float32Array:
    units = np.ascontiguousarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(units, axis=1, keepdims=True)
    lengths[lengths == 0.0] = 1.0
    return units / lengths
