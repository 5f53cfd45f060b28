"""While a run that stops as soon as it is decided goes on: what its scored questions leave open.

Questions count in the order of the run file, never in the order in which they finish: what is finished first is short.
"""

from homogaudit.clustering.methods import primary_of
from homogaudit.events import Deciding, QuestionScored
from homogaudit.report.level import FEWEST_QUESTIONS, LEVEL_STARTS, bound_starts
from homogaudit.report.numbers import count, percent, percent_interval
from homogaudit.statistics.decision_sequence import DecisionSequence, questions_to_one_band
from homogaudit.store.until_decided import UntilDecided

_TOLD_FROM = 30
"""Questions from which on it is told how many the rate of now would need: before it is hardly known."""


class DecisionCounter:
    """Takes scored questions in any order, and counts those before the first one that is missing.

    A question whose missing answers leave open whether it has one cluster counts against every decision. Nothing is
    decided by fewer than ten questions with all their answers, or while most answers are missing: no level is given
    then.
    """

    def __init__(self, rule: UntilDecided, questions: int) -> None:
        self._bound, self._of = rule.max_scr, questions
        self._starts = LEVEL_STARTS if rule.max_scr is None else bound_starts(rule.max_scr)
        self._scored: dict[int, QuestionScored] = {}
        self._begin()

    def _begin(self) -> None:
        self._sequence = DecisionSequence(self._starts)
        self._whole = self._valid = self._samples = 0

    def take(self, event: QuestionScored) -> None:
        """Take one scored question; one that is scored again in another way is counted anew."""
        earlier = self._scored.get(event.position)
        self._scored[event.position] = event
        if earlier is not None and event.position < self.questions and _outcome(earlier) != _outcome(event):
            self._begin()
        while not self.is_decided and (ready := self._scored.get(self.questions)) is not None:
            least, most = _outcome(ready)
            self._sequence.add(least=least, most=most)
            self._whole += ready.valid_samples == ready.samples
            self._valid += ready.valid_samples
            self._samples += ready.samples

    @property
    def questions(self) -> int:
        """How many questions are counted."""
        return self._sequence.questions

    @property
    def left(self) -> tuple[str, ...]:
        """The answers that are left, in words."""
        found = self._sequence.interval
        names = ("none", "mild", "severe")
        if self._bound is not None:
            names = (f"at most {percent(self._bound)}", f"above {percent(self._bound)}")
        lows, highs = (0.0, *self._starts), (*self._starts, 2.0)
        return tuple(
            name for name, low, high in zip(names, lows, highs, strict=True) if found.high >= low and found.low < high
        )

    @property
    def is_decided(self) -> bool:
        """Whether one answer is left."""
        return len(self.left) == 1 and self._whole >= FEWEST_QUESTIONS and 2 * self._valid >= self._samples

    def told(self) -> Deciding:
        """Return where the decision stands."""
        needed = None
        if self.questions >= _TOLD_FROM and not self.is_decided:
            found = questions_to_one_band(self._sequence.rate, self._starts)
            needed = found if found is None else max(found, self.questions + 1)
        ends = self._sequence.interval
        return Deciding(self.questions, self._of, ends.low, ends.high, self.left, needed, self.is_decided)


def _outcome(event: QuestionScored) -> tuple[bool, bool]:
    """Return whether a question has one cluster if each missing answer is another, and if each agrees."""
    primary = primary_of(event.clusters)
    clusters = event.clusters[primary] if primary is not None else None
    return clusters == 1 and event.valid_samples == event.samples, clusters in (1, None)


def left_words(event: Deciding) -> str:
    """Return which answers are left, or the one that is."""
    return f"decided: {event.left[0]}" if event.is_decided else f"left: {', '.join(event.left)}"


def outlook(event: Deciding) -> str:
    """Return how many questions are to be expected, and whether the run has as many; empty where it is not known."""
    if event.is_decided or event.questions < _TOLD_FROM:
        return ""
    if event.needed is None:
        return "no verdict to be expected: at this rate no number of questions decides"
    about = f"at this rate about {count(event.needed)} questions"
    left = f"{count(event.of - event.questions)} left"
    return f"{about}, {left}" if event.needed <= event.of else f"no verdict to be expected: {about}, {left}"


def deciding_text(event: Deciding) -> str:
    """Return where the decision stands, in a few words."""
    counted = "1 question" if event.questions == 1 else f"{count(event.questions)} questions"
    found = f"{counted} in order {percent_interval(event.low, event.high)}, {left_words(event)}"
    return "; ".join(filter(None, (found, outlook(event))))
