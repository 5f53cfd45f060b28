"""Which setting may be named: chosen on one half of the questions, tested on the other."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from homogaudit.report.run_data import mean_estimates
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import DRAWS, MARGIN, wilson
from homogaudit.statistics.mean_loss import MeanLoss, mean_loss
from homogaudit.sweep.axes import Value
from homogaudit.sweep.measures import Measures
from homogaudit.sweep.records import Choice, Loss

FEWEST = 10
"""Questions of each half, below which nothing is chosen."""

Found = Sequence[tuple[Mapping[str, Value], Measures]]


def choose(found: Found, seed: int) -> Choice | Undefined:
    """Return the setting of most clusters that loses no accuracy, as far as half of the questions tell, and the test.

    Its losses are against every other setting: that there is none to which it loses the margin is shown where the test
    against each of them says so, without a correction for their number.

    Args:
        found: The settings, of one N and one threshold.
        seed: Of the halves.
    """
    if len(found) < 2:
        return Undefined("one run has nothing to choose from")
    measures = [x for _, x in found]
    if unlabelled := next((x.unlabelled for x in measures if not x.sample_accuracy), None):
        return Undefined(unlabelled)
    questions = _common([x.clusters for x in measures], [x.correct_samples for x in measures])
    first, second = _halves(questions, seed)
    if len(first) < FEWEST:
        return Undefined(
            f"only {len(questions)} questions are answered and judged under every setting, {2 * FEWEST} are needed"
        )
    best = _most_diverse(measures, first)
    others = [place for place in range(len(found)) if place != best]
    losses = {place: _losses(measures[place], measures[best], second) for place in others}
    if any(x is None for pair in losses.values() for x in pair):
        return Undefined("no question of the second half is judged under every setting")
    own = measures[best]
    pairs = {place: (a, b) for place, (a, b) in losses.items() if a is not None and b is not None}
    of_labelled = max(others, key=lambda place: pairs[place][0].high)
    of_all = max(others, key=lambda place: pairs[place][1].high)
    loss = _loss(found[of_labelled][0], pairs[of_labelled][0])
    loss_of_correct = _loss(found[of_all][0], pairs[of_all][1])
    single = [own.clusters[x] == 1 for x in second]
    clusters, accuracy = (
        mean_estimates([[values[x] for x in second if x in values]], "", draws=DRAWS, seed=seed)[0]
        for values in (own.clusters, own.sample_accuracy)
    )
    return Choice(
        setting=found[best][0],
        chosen_on=len(first),
        tested_on=len(second),
        margin=MARGIN,
        scr=wilson(sum(single), len(single)),
        mean_clusters=clusters,
        sample_accuracy=accuracy,
        loss=loss,
        loss_of_correct=loss_of_correct,
        recommended=max(loss.high, loss_of_correct.high) < MARGIN,
    )


def _common(*tables: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the questions that every table has, in the order of the first."""
    return [x for x in tables[0][0] if all(x in own for table in tables for own in table)]


def _halves(questions: Sequence[str], seed: int) -> tuple[list[str], list[str]]:
    """Return the questions of two random halves, those of each in their order."""
    order = np.random.default_rng(seed).permutation(len(questions))
    first = set(order[: len(questions) // 2].tolist())
    halves: tuple[list[str], list[str]] = ([], [])
    for place, question in enumerate(questions):
        halves[place not in first].append(question)
    return halves


def _most_diverse(measures: Sequence[Measures], questions: Sequence[str]) -> int:
    """Return the place of the setting of most clusters among those that lose no more than the margin to any other."""

    def losses(place: int) -> list[float]:
        return [
            fmean(found)
            for other in measures
            for table in ("sample_accuracy", "correct_samples")
            if (found := _differences(getattr(other, table), getattr(measures[place], table), questions))
        ]

    # The setting of most correct samples may lose accuracy among the labelled ones, so that none is left.
    safe = [place for place in range(len(measures)) if max(losses(place)) <= MARGIN] or [
        max(range(len(measures)), key=lambda place: fmean(measures[place].correct_samples[x] for x in questions))
    ]
    return max(safe, key=lambda place: fmean(measures[place].clusters[x] for x in questions))


def _differences(other: Mapping[str, float], own: Mapping[str, float], questions: Sequence[str]) -> list[float]:
    return [other[x] - own[x] for x in questions if x in other and x in own]


def _losses(other: Measures, own: Measures, questions: Sequence[str]) -> tuple[MeanLoss | None, MeanLoss | None]:
    """Return the losses of both accuracies against another setting."""
    of_labelled = _differences(other.sample_accuracy, own.sample_accuracy, questions)
    of_all = _differences(other.correct_samples, own.correct_samples, questions)
    return (mean_loss(of_labelled) if of_labelled else None), (mean_loss(of_all) if of_all else None)


def _loss(against: Mapping[str, Value], found: MeanLoss) -> Loss:
    return Loss(against, found.value, found.high, found.p, found.n)
