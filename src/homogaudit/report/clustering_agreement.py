"""How far two clusterings of the same answers agree on what one cluster is."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations

import numpy as np

from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import ClusteringMethod
from homogaudit.report.homogenization import Settings
from homogaudit.report.run_data import RunData, mean_estimates, rate
from homogaudit.report.side_by_side_records import ClusteringAgreement
from homogaudit.report.undefined import Undefined, undefined
from homogaudit.statistics import Estimate, cohens_kappa

_ALIKE = "no question has one cluster under the first"


def compare_clusterings(
    data: RunData, methods: Mapping[str, ClusteringMethod], settings: Settings
) -> tuple[ClusteringAgreement, ...]:
    """Compare every clustering with every other, on the fully valid questions that both have clustered."""
    ids = [x.question.id for x in data.fully_valid]
    stored = {name: data.clusterings(method) for name, method in methods.items()}
    joined = {
        name: {x: _joined(found[x].assignment) for x in ids if x in found} for name, found in stored.items() if found
    }
    return tuple(_agreement((a, b), joined[a], joined[b], settings) for a, b in permutations(joined, 2))


def _joined(assignment: tuple[int, ...]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return for every two samples of a question whether they are in one cluster."""
    labels = np.asarray(assignment)
    rows, columns = np.triu_indices(labels.size, 1)
    return labels[rows] == labels[columns]


def _agreement(
    names: tuple[str, str],
    first: Mapping[str, np.ndarray[tuple[int], np.dtype[np.bool_]]],
    second: Mapping[str, np.ndarray[tuple[int], np.dtype[np.bool_]]],
    settings: Settings,
) -> ClusteringAgreement:
    both = [x for x in first if x in second]
    single = [x for x in both if first[x].all()]
    shares = [float(second[x].mean()) for x in single]
    kappa: Estimate | Undefined
    try:
        kappa = cohens_kappa(
            [bool(first[x].all()) for x in both],
            [bool(second[x].all()) for x in both],
            draws=settings.draws,
            seed=settings.seed,
        )
    except UndefinedStatisticError as error:
        kappa = undefined(error)
    else:
        # One answer only gives every draw the same kappa, which is no certainty.
        kappa = replace(kappa, low=None, high=None) if kappa.low == kappa.high else kappa
    return ClusteringAgreement(
        clusterings=names,
        questions=len(both),
        confirmed=rate(sum(bool(second[x].all()) for x in single), len(single), _ALIKE),
        joined=mean_estimates([shares], _ALIKE, draws=settings.draws, seed=settings.seed)[0],
        kappa=kappa,
    )
