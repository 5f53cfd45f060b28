import numpy as np
import pytest

from homogaudit.cascade.published import published_protocol
from homogaudit.errors import UndefinedStatisticError


def test_the_published_sweep_is_reproduced(recorded, expected_cascade):
    found = published_protocol(recorded.token_entropy_mean, recorded.density, recorded.incorrect)
    assert (found.n, found.positives) == (expected_cascade["n"], expected_cascade["positives"])
    assert found.auroc_first == pytest.approx(expected_cascade["auroc_b1"], abs=1e-5)
    assert found.auroc_second == pytest.approx(expected_cascade["auroc_b2"], abs=1e-5)
    assert found.weight_first == pytest.approx(expected_cascade["parallel"]["weight_b1"])
    assert found.auroc_parallel == pytest.approx(expected_cascade["parallel"]["auroc"], abs=1e-5)
    assert len(found.points) == len(expected_cascade["band"])
    for point in found.points:
        figures = expected_cascade["band"][str(point.band)]
        assert point.escalated == figures["escalated"]
        assert point.escalation_rate == pytest.approx(figures["escalation_rate"], abs=1e-5)
        assert point.saving == pytest.approx(figures["saving"], abs=1e-5)
        assert point.auroc == pytest.approx(figures["auroc"], abs=1e-5)


def test_four_questions_by_hand():
    # b1 = 0, 1/3, 2/3, 1 with the upper median 2/3; a band of 0.4 takes the last three. b2 = 0, 1, 1, 0 ranks the
    # positives 2 and 3 first, so weight 0 is best: AUROC 1. Escalated scores 1, 1, 0 against the first's 0.
    found = published_protocol([0, 1, 2, 3], [0, 5, 5, 0], [False, True, True, False], bands=(0.4,))
    assert (found.weight_first, found.auroc_parallel) == (0.0, 1.0)
    assert (found.points[0].escalated, found.points[0].saving, found.points[0].auroc) == (3, 0.25, 1.0)


@pytest.mark.parametrize(
    ("first", "second", "labels", "reason"),
    [
        ([1.0, 1.0], [0.0, 1.0], [True, False], "same for every question"),
        ([0.0, np.nan], [0.0, 1.0], [True, False], "not finite"),
        ([0.0, 1.0], [0.0, 1.0], [True, True], "`0` correct"),
        ([], [], [], "`0` questions"),
    ],
)
def test_what_cannot_be_computed_says_why(first, second, labels, reason: str):
    with pytest.raises(UndefinedStatisticError, match=reason):
        published_protocol(first, second, labels)
