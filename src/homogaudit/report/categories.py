"""Where the primary and the recommended signal work: by category of the question.

The test whether a category matters at all comes first; the table describes. Other signals are left out, because with
many signals and many categories some pair always looks good.
"""

from collections import Counter

import numpy as np

from homogaudit.errors import UndefinedStatisticError
from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.analysis_records import (
    Categories,
    CategoryFigures,
    SignalCategories,
)
from homogaudit.report.undefined import Undefined, undefined
from homogaudit.report.zones import score_zones
from homogaudit.statistics import CategoryAuroc, CategoryZone, auroc_by_category, category_difference, category_zones

_PERMUTATIONS = 2_000
"""Of the zones: the least p is 0.0005, which Holm over 38 categories still leaves below 0.05."""

_NO_AUROC = "an AUROC by category needs 10 questions and both classes"
_NO_ZONE = "a zone needs 20 questions and 5 of each class"


def score_categories(inputs: AnalysisInputs) -> Categories | Undefined:
    """Score the primary and the recommended signal by category."""
    if not any(inputs.scores.categories):
        return Undefined("the questions have no categories")
    chosen = inputs.chosen()
    if not chosen:
        return inputs.without_primary() or Undefined("no signal can be scored")
    return Categories({name: _signal(inputs, name) for name in chosen}, score_zones(inputs))


def _signal(inputs: AnalysisInputs, name: str) -> SignalCategories | Undefined:
    values, incorrect = inputs.defined(name)
    has_value = np.flatnonzero(~np.isnan(inputs.row(name)))
    # An empty name is none.
    categories = [inputs.scores.categories[column] or None for column in has_value]
    try:
        aurocs = auroc_by_category(values, incorrect, categories)
        zones = category_zones(values, incorrect, categories, _PERMUTATIONS, inputs.seed)
    except UndefinedStatisticError as error:
        return undefined(error)
    try:
        difference = category_difference(values, incorrect, categories)
    except UndefinedStatisticError as error:
        difference = undefined(error)
    counts = Counter(category for category in categories if category is not None)
    wrong = Counter(category for category, is_wrong in zip(categories, incorrect, strict=True) if is_wrong)
    figures = {
        category: _figures(counts[category], wrong[category], aurocs.get(category), zones.get(category))
        for category in sorted(counts)
    }
    return SignalCategories(difference, figures)


def _figures(n: int, positives: int, auroc: CategoryAuroc | None, zone: CategoryZone | None) -> CategoryFigures:
    return CategoryFigures(
        n=n,
        positives=positives,
        auroc=auroc.auroc if auroc else Undefined(_NO_AUROC),
        delong=auroc.interval if auroc else None,
        zone=zone or Undefined(_NO_ZONE),
    )
