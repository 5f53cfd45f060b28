"""Which setting is named: chosen on one half, shown on the other."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from homogaudit.report.level import Outcomes
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate
from homogaudit.sweep.choice import choose
from homogaudit.sweep.measures import Measures
from homogaudit.sweep.records import Choice

Values = Callable[[int], float]


def measures(
    questions: int, clusters: Values, accuracy: Values, correct: Values | None = None, unlabelled: Sequence[int] = ()
) -> Measures:
    """Return what a run of so many questions says, each value by the number of the question."""
    names = {number: f"q{number}" for number in range(questions)}
    correct = correct or accuracy
    return Measures(
        is_complete=True,
        questions=questions,
        samples=4,
        method="jaccard",
        threshold=0.4,
        judge="exact",
        outcomes=Outcomes(np.zeros(0, np.intp), np.zeros(0, np.bool_), (), ()),
        clusters={name: int(clusters(number)) for number, name in names.items()},
        accuracy=Undefined("not needed"),
        sample_accuracy={name: accuracy(number) for number, name in names.items() if number not in unlabelled},
        correct_samples={name: correct(number) for number, name in names.items()},
        labelled=0,
        tokens={},
        seconds=None,
        missing="",
        unlabelled="" if questions else "exact calls no sample correct or incorrect",
    )


def chosen(*found: Measures) -> Choice:
    choice = choose([({"temperature": float(place)}, x) for place, x in enumerate(found)], seed=5)
    assert isinstance(choice, Choice)
    return choice


def test_the_setting_of_most_clusters_is_named_where_nothing_is_lost_on_the_other_half():
    found = chosen(
        measures(240, lambda _: 1, lambda x: x % 2),
        measures(240, lambda x: 2 + x % 2, lambda x: x % 2),
    )
    assert found.setting == {"temperature": 1.0}
    assert (found.chosen_on, found.tested_on, found.scr.n, found.scr.k) == (120, 120, 120, 0)
    assert found.recommended
    # No loss on 120 questions, and one of 1 beside them.
    bound = ttest_1samp([0.0] * 120 + [1.0], 0.05, alternative="less").confidence_interval(0.95).high
    assert found.loss.value == 0
    assert found.loss.high == pytest.approx(bound, abs=1e-12)
    assert found.loss.against == {"temperature": 0.0}
    assert found.loss == found.loss_of_correct
    assert isinstance(found.sample_accuracy, Estimate)
    assert found.sample_accuracy.n == 120


def test_one_that_loses_is_not_chosen_whatever_its_clusters():
    found = chosen(measures(240, lambda _: 1, lambda _: 0.9), measures(240, lambda _: 4, lambda _: 0.7))
    assert found.setting == {"temperature": 0.0}
    assert found.recommended
    assert found.loss.value == pytest.approx(-0.2)


def test_answers_that_fall_apart_do_not_pass_for_accurate_ones():
    # Half of its samples say nothing that can be judged; among the others as many are right.
    apart = measures(240, lambda _: 4, lambda x: x % 2, lambda x: (x % 2) / 2)
    found = chosen(measures(240, lambda _: 1, lambda x: x % 2), apart)
    assert found.setting == {"temperature": 0.0}


def test_few_questions_show_nothing_and_fewer_choose_nothing():
    same = measures(40, lambda _: 1, lambda x: x % 2), measures(40, lambda _: 2, lambda x: x % 2)
    found = chosen(*same)
    assert found.setting == {"temperature": 1.0}
    assert not found.recommended
    assert found.loss.high > 0.05
    few = choose([({"n": x}, measures(19, lambda _: 1, lambda _: 1.0)) for x in (1, 2)], seed=5)
    assert few == Undefined("only 19 questions are answered and judged under every setting, 20 are needed")


def test_the_test_is_against_every_other_setting():
    found = chosen(
        measures(400, lambda _: 1, lambda x: x % 2),
        measures(400, lambda _: 3, lambda x: x % 2),
        measures(400, lambda _: 2, lambda x: min(1.0, x % 2 + 0.03)),
    )
    assert found.setting == {"temperature": 1.0}
    # It loses 0.03 on half of the questions to the third, and nothing to the first.
    assert found.loss.against == {"temperature": 2.0}
    assert found.loss.value == pytest.approx(0.015, abs=0.005)


def test_a_question_without_a_labelled_sample_has_no_accuracy_and_counts_as_not_correct():
    found = chosen(
        measures(240, lambda _: 1, lambda x: x % 2),
        measures(240, lambda _: 2, lambda x: x % 2, lambda x: x % 2, unlabelled=range(0, 240, 3)),
    )
    assert found.loss.n < found.loss_of_correct.n == 120


def test_nothing_is_chosen_without_labels_or_of_one_run():
    labelled, bare = measures(40, lambda _: 1, lambda _: 1.0), measures(0, lambda _: 1, lambda _: 1.0)
    assert choose([({"n": 1}, labelled), ({"n": 2}, bare)], 5) == Undefined(bare.unlabelled)
    assert choose([({"n": 1}, labelled)], 5) == Undefined("one run has nothing to choose from")
