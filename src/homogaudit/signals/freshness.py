"""B3, `freshness`: how long after the end of the model's training data a question is set.

Reads the question alone, by its time expressions; it does not know which facts really change.
"""

import math
from datetime import date

from homogaudit.errors import UndefinedStatisticError
from homogaudit.signals.inputs import Unavailable
from homogaudit.signals.run_inputs import RunInputs
from homogaudit.signals.time_expressions import time_expressions

RATE = 0.5
"""lambda, a year: after two years 63% of what can change counts as changed (arXiv 2603.24124, B3)."""
_DAYS_A_YEAR = 365.25


def freshness(inputs: RunInputs) -> dict[str, float | Unavailable]:
    """Return the freshness of each question; "current" and the like mean the day on which the run began.

    Source: arXiv 2603.24124 (B3).
    """
    if inputs.cutoff is None:
        raise UndefinedStatisticError("the model's training cutoff is not known")
    return {
        question.id: freshness_of(question.text, cutoff=inputs.cutoff, asked=inputs.run_date)
        for question in inputs.questions
    }


def freshness_of(question: str, *, cutoff: date, asked: date | None) -> float | Unavailable:
    """Return 1 - exp(-0.5 x years) for the years from the cutoff to the latest day that the question names.

    An expression that holds the day of asking ("this decade", the year that runs) means that day; another means its
    last day, because part of it is past the cutoff.

    Args:
        question: Its text.
        cutoff: The last day that the training data can know of.
        asked: The day of asking, `None` where it is not known.

    Returns:
        In [0, 1]; 0 without a time expression, and where all are of days up to the cutoff.
    """
    latest = cutoff
    for expression in time_expressions(question, asked):
        if expression.first is None or expression.last is None:
            return Unavailable("the question is set at the day of the run, which is not known")
        is_running = asked is not None and expression.first <= asked <= expression.last
        latest = max(latest, asked if is_running and asked is not None else expression.last)
    return 0.0 - math.expm1(-RATE * (latest - cutoff).days / _DAYS_A_YEAR)
