"""The probability of yes from which a model of meaning joins two answers, set on the labelled pairs that it decides.

The pairs are asked as answers of a run are: they become a run file of their own. Nothing is printed.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.answer_pairs import AnswerPairs
from homogaudit.clustering.meaning import together
from homogaudit.clustering.meaning_fit import subjects_of
from homogaudit.errors import UsageError
from homogaudit.events import JobJudge
from homogaudit.records import Generation, GenerationState, Interval, Question
from homogaudit.statistics.pair_threshold import (
    PairSeparation,
    interval_of_splits,
    pair_separation,
    threshold_of_splits,
)
from homogaudit.store import RunFile

_FEWEST = 40
"""Pairs of one meaning, of which the threshold parts 30%."""


@dataclass(frozen=True, slots=True)
class MeaningThreshold:
    """What calibrating a model of meaning gave, on the pairs that it was asked about.

    Attributes:
        threshold: Probability of yes against no, both orders averaged as log-odds; it parts at most 30% of the pairs of
            one meaning.
        interval: 95%, over subjects.
        asked: (pairs,) bool, of the whole file.
        separation: How well the model tells the asked pairs apart, and what it does at the threshold.
    """

    threshold: float
    interval: Interval | None
    asked: NDArray[np.bool_]
    separation: PairSeparation


def write_pairs(file: AnswerPairs, path: Path) -> None:
    """Write labelled pairs as a run file: a question each, with two samples.

    Raises:
        HomogauditError: It cannot be written.
    """
    questions = [Question(f"pair-{number}", pair.question) for number, pair in enumerate(file.pairs)]
    parameters = {"recorded": True, "decoding": {"samples": 2}, "samples": 2}
    with (
        RunFile.create(path, model="pairs", question_source="pairs", questions=questions, parameters=parameters) as run,
        run.transaction(),
    ):
        for question, pair in zip(questions, file.pairs, strict=True):
            for index, text in enumerate((pair.a, pair.b)):
                run.add_generation(Generation(question.id, index, text, text, GenerationState.VALID))


def meaning_threshold(file: AnswerPairs, path: Path, model: JobJudge) -> MeaningThreshold:
    """Return the threshold of a model that was asked about the open pairs of a run that `write_pairs` made.

    Raises:
        UsageError: Too few pairs of one meaning were open, or none of different meaning.
    """
    texts = [(together(pair.question, pair.a), together(pair.question, pair.b)) for pair in file.pairs]
    with RunFile.open(path) as run:
        replies = run.pair_scores(model.key, texts)
    asked = np.asarray([both in replies for both in texts])
    places = np.flatnonzero(asked)
    log_odds = np.asarray([float(replies[texts[place]].mean()) for place in places])
    pairs = [file.pairs[place] for place in places]
    same, subjects = [pair.same for pair in pairs], subjects_of(pairs)
    if sum(same) < _FEWEST or all(same):
        raise UsageError(
            f"`{model.name}` was asked about `{sum(same)}` pairs of one meaning and `{len(same) - sum(same)}` others",
            f"a threshold needs {_FEWEST}, and some of different meaning",
        )
    found = _probability(threshold_of_splits(log_odds, same))
    interval = interval_of_splits(log_odds, same, subjects)
    separation = pair_separation(log_odds, same, subjects, math.log(found / (1 - found)))
    ends = interval and Interval(_probability(interval.low), _probability(interval.high))
    return MeaningThreshold(found, ends, asked, separation)


def _probability(log_odds: float) -> float:
    """Return a probability of six digits, rounded down so that no more pairs are parted, and neither 0 nor 1."""
    exact = 1 / (1 + math.exp(-log_odds))
    return min(max(math.floor(exact * 1e6) / 1e6, 1e-6), 1 - 1e-6)
