"""Corrections for many tests. It does not know where the p values come from."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.errors import UndefinedStatisticError

__all__ = ["holm"]


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return Holm's adjusted p values, in the order given.

    Args:
        p_values: Shape (m,), each between 0 and 1; may be empty.

    Returns:
        Shape (m,), never below the p given, never above 1, in the same order of size.

    Raises:
        UndefinedStatisticError: A p is NaN or outside [0, 1].

    Source:
        Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(f"expected a vector of p values, not shape {p.shape}")
    invalid = p[~((p >= 0) & (p <= 1))]
    if invalid.size:
        raise UndefinedStatisticError(f"`{invalid[0]}` is not a p value", "leave out tests that could not be made")
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
