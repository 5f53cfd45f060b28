"""The table of a sweep, against figures worked out by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from homogaudit.records import Question
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate, Rate, wilson
from homogaudit.sweep.build import build_sweep

QUESTIONS = [
    Question("rome", "Where is Rome?", None, ("Italy",), ("France",)),
    Question("bern", "Where is Bern?", None, ("Switzerland",), ("Austria",)),
]
COLD = {"rome": ("Italy", "Italy", "Italy"), "bern": ("Austria", "Austria", "Austria")}
WARM = {"rome": ("Italy", "Italy", "in France"), "bern": ("Austria", "Austria", "in Switzerland")}
HOT = {"rome": ("Italy", "in France", "no idea at all"), "bern": ("Austria", "Switzerland", "")}

Make = Callable[..., Path]


@pytest.fixture
def folder(make_sweep: Make) -> Path:
    return make_sweep(["temperature=0,1,2"], QUESTIONS, COLD, WARM, HOT)


def value(found: Estimate | Rate | Undefined) -> float | None:
    return found.value


def test_a_row_says_what_its_run_says(folder: Path):
    sweep = build_sweep(folder)
    assert [row.setting for row in sweep.settings] == [{"temperature": x} for x in (0.0, 1.0, 2.0)]
    assert (sweep.status, sweep.clustering, sweep.judge, sweep.models) == ("complete", "jaccard", "exact", ("tiny",))
    cold, warm, hot = sweep.settings
    assert (cold.scr, warm.scr) == (wilson(2, 2), wilson(0, 2))
    # The second question has one valid sample of two, which leaves open whether it is single.
    assert hot.scr == wilson(0, 1)
    assert [value(x.mean_clusters) for x in sweep.settings] == [1.0, 2.0, 2.0]
    assert [value(x.accuracy) for x in sweep.settings] == [0.5, 0.5, 0.5]
    # Of the labelled samples: (1 + 0) / 2, (1/2 + 1/2) / 2, (0/1 + 1/1) / 2.
    assert [value(x.sample_accuracy) for x in sweep.settings] == [0.5, 0.5, 0.5]
    # Of all: (1 + 0) / 2, (1/2 + 1/2) / 2, (0 + 1/2) / 2.
    assert [value(x.correct_samples) for x in sweep.settings] == [0.5, 0.5, 0.25]
    assert hot.labelled_samples == wilson(2, 4)
    # Words of the samples stand for tokens: (1 + 2) / 2 and (1 + 2) / 2.
    assert [value(x.mean_tokens) for x in sweep.settings] == [1.0, 1.5, (3 + 0.5) / 2]
    assert cold.drawing_seconds == 2.0


def test_the_front_holds_what_nothing_beats(folder: Path):
    # (1, 0.5), (2, 0.5), (2, 0.5) of clusters and accuracy: the first has fewer clusters and no more accuracy.
    assert [row.undominated for row in build_sweep(folder).settings] == [False, True, True]


def test_a_trend_is_the_least_squares_slope_over_the_questions_that_all_settings_have(make_sweep: Make):
    sweep = build_sweep(make_sweep(["temperature=0,1,2"], QUESTIONS, COLD, WARM, WARM))
    (trend,) = sweep.trends
    # Both questions have singles 1, 0, 0: the slope is ((0 - 1) * 1 + (1 - 1) * 0 + (2 - 1) * 0) / 2 = -1/2.
    assert isinstance(trend.scr_slope, Estimate) and isinstance(trend.scr_change, Estimate)
    assert trend.scr_slope.value == pytest.approx(-0.5)
    assert trend.scr_change.value == pytest.approx(-1.0)
    assert trend.scr_slope.n == 2
    # Accuracies 1, 1/2, 1/2 and 0, 1/2, 1/2: slopes -1/4 and 1/4.
    assert isinstance(trend.sample_accuracy_slope, Estimate)
    assert trend.sample_accuracy_slope.value == pytest.approx(0.0)
    # Every sample is labelled.
    assert trend.correct_samples_slope == trend.sample_accuracy_slope
    assert trend.sample_accuracy_slope.low is not None and trend.sample_accuracy_slope.high is not None
    assert trend.sample_accuracy_slope.low < 0 < trend.sample_accuracy_slope.high


def test_a_trend_over_one_key_has_a_line_of_its_own_for_each_value_of_another(make_sweep: Make):
    folder = make_sweep(["temperature=0,1", "mode=base,chat"], QUESTIONS, COLD, WARM, WARM, COLD)
    (trend,) = build_sweep(folder).trends
    # It falls by 1 in one mode and rises by 1 in the other.
    assert isinstance(trend.scr_slope, Estimate)
    assert trend.scr_slope.value == 0


def test_fewer_samples_are_the_first_ones_of_the_run(make_sweep: Make):
    answers = {
        "rome": ("Italy", "Italy", "Italy", "in France", "Italy"),
        "bern": ("Austria", "Austria", "", "Austria", "in Switzerland"),
    }
    sweep = build_sweep(make_sweep(["n=2,3,4"], QUESTIONS, answers))
    two, three, four = sweep.settings
    assert [x.samples for x in sweep.settings] == [2, 3, 4]
    # With two, the second question has one valid sample, which says nothing of several.
    assert (two.scr, two.mean_clusters) == (wilson(1, 1), Estimate(1.0, None, None, 1))
    # With three it has two that agree, and one that is missing.
    assert three.scr == wilson(0, 1)
    assert four.scr == wilson(0, 2)
    assert [value(x.sample_accuracy) for x in sweep.settings] == [
        0.5,
        pytest.approx((2 / 3 + 0) / 2),
        pytest.approx((3 / 4 + 1 / 3) / 2),
    ]
    assert [isinstance(x.drawing_seconds, Undefined) for x in sweep.settings] == [True, True, False]
    # Their numbers of clusters do not compare, and one run is no choice.
    assert {x.undominated for x in sweep.settings} == {None}
    assert sweep.choice == Undefined("one run has nothing to choose from")


def test_a_threshold_cuts_the_same_similarities(make_sweep: Make):
    answers = {
        "rome": ("Italy", "it is in Italy", "it is in France"),
        "bern": ("Austria", "it lies in Austria", "Switzerland"),
    }
    sweep = build_sweep(make_sweep(["threshold=0.5,0.6,0.4"], QUESTIONS, answers))
    # Bigrams "it is", "is in" are shared, "in italy", "in france" are not: 2 of 4 is 0.5.
    assert [value(x.scr) for x in sweep.settings] == [0.5, 0.0, 0.5]
    (trend,) = sweep.trends
    assert (trend.lowest, trend.highest) == (0.4, 0.6)


def test_a_run_that_was_stopped_is_shown_as_far_as_it_got(make_sweep: Make):
    sweep = build_sweep(make_sweep(["temperature=0,1"], QUESTIONS, COLD, {"rome": WARM["rome"]}))
    assert sweep.status == "started"
    assert [x.questions for x in sweep.settings] == [2, 1]
    assert sweep.choice == Undefined("not every run is complete")
