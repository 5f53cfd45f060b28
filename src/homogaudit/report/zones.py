"""Every signal where the primary one works, and where it points the wrong way: does another help there?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.report.analysis_inputs import PRIMARY_SIGNAL, AnalysisInputs
from homogaudit.report.analysis_records import SignalZones, Zones
from homogaudit.report.undefined import Undefined, undefined
from homogaudit.statistics import Estimate, held_out_zones, in_sample_zones, zone_auroc


def score_zones(inputs: AnalysisInputs) -> Zones | Undefined:
    """Score every signal in the zones of the primary one; see `homogaudit.statistics.zones`."""
    if (missing := inputs.without_primary()) is not None:
        return missing
    row = inputs.row(PRIMARY_SIGNAL)
    has_value = ~np.isnan(row)
    incorrect = inputs.scores.incorrect[has_value]
    # An empty name is none.
    categories = [inputs.scores.categories[column] or None for column in np.flatnonzero(has_value)]
    decided = list(held_out_zones(row[has_value], incorrect, categories, inputs.seed))
    if not any(zones.any() for zones in decided):
        return Undefined("no category has three wrong and three right answers")
    published = [in_sample_zones(row[has_value], incorrect, categories)]
    values = {name: inputs.row(name)[has_value] for name in inputs.usable()}
    return Zones(
        PRIMARY_SIGNAL,
        held_out_zones={name: _signal(found, incorrect, decided) for name, found in values.items()},
        in_sample_zones={name: _signal(found, incorrect, published) for name, found in values.items()},
    )


def _signal(
    values: NDArray[np.float64], incorrect: NDArray[np.bool_], zones: Sequence[NDArray[np.int8]]
) -> SignalZones:
    effective, blind = (_auroc(values, incorrect, [x == sign for x in zones]) for sign in (1, -1))
    return SignalZones(effective, blind)


def _auroc(
    values: NDArray[np.float64], incorrect: NDArray[np.bool_], parts: Sequence[NDArray[np.bool_]]
) -> Estimate | Undefined:
    try:
        return zone_auroc(values, incorrect, parts)
    except UndefinedStatisticError as error:
        return undefined(error)
