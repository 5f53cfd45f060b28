"""Linear algebra on one thread."""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def on_one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that does its linear algebra on one thread.

    Thousands of products of small matrices, shared among threads, spend most of their time waiting for each other; and
    how many threads there are decides the last bits.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        from threadpoolctl import threadpool_limits

        # SciPy brings a library of its own; loaded later it would not be limited.
        import_module("scipy.special")
        with threadpool_limits(1, user_api="blas"):
            return function(*args, **kwargs)

    return run
