"""While a run that stops as soon as it is decided goes on: what its scored questions leave open.

Questions count in the order of the run file, never in the order in which they finish: what is finished first is short.
"""

from homogaudit.clustering.methods import primary_of
from homogaudit.events import Deciding, QuestionScored
from homogaudit.outlook import Outlook
from homogaudit.report.level import FEWEST_QUESTIONS, deciding_starts
from homogaudit.report.numbers import count, percent, percent_interval
from homogaudit.statistics.decision_outlook import outlook
from homogaudit.statistics.decision_sequence import DecisionSequence
from homogaudit.statistics.rates import MOST_QUESTIONS
from homogaudit.store.until_decided import UntilDecided

_TOLD_FROM = 30
"""Questions from which on it is told what is to be expected: before, the rate is hardly known."""

_HARDLY = 0.05
"""Chance of a decision below which none is to be expected."""

HOPELESS = "no verdict to be expected"

_AGAIN = 1.02
"""How many times as many questions as when it was computed last say something new of what is to be expected."""


class DecisionCounter:
    """Takes scored questions in any order, and counts those before the first one that is missing.

    A question whose missing answers leave open whether it has one cluster counts against every decision. Nothing is
    decided by fewer than ten questions with all their answers, or while most answers are missing: no level is given
    then.
    """

    def __init__(self, rule: UntilDecided, questions: int) -> None:
        self._bound, self._of = rule.max_scr, questions
        self._starts = deciding_starts(rule.max_scr)
        self._scored: dict[int, QuestionScored] = {}
        self._begin()

    def _begin(self) -> None:
        self._sequence = DecisionSequence(self._starts)
        self._whole = self._valid = self._samples = 0
        self._ahead: Outlook | None = None
        self._ahead_at: tuple[int, tuple[str, ...]] = (0, ())

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
        ends, left = self._sequence.interval, self.left
        # Where one answer is left, what is missing is answers that are valid: no number of questions is known then.
        if self.questions < _TOLD_FROM or len(left) == 1:
            self._ahead = None
        elif self._ahead is None or self.questions >= _AGAIN * self._ahead_at[0] or left != self._ahead_at[1]:
            self._ahead = outlook(self._sequence, self._of, self._starts)
            self._ahead_at = self.questions, left
        return Deciding(self.questions, self._of, ends.low, ends.high, left, self._ahead, self.is_decided)


def _outcome(event: QuestionScored) -> tuple[bool, bool]:
    """Return whether a question has one cluster if each missing answer is another, and if each agrees."""
    primary = primary_of(event.clusters)
    clusters = event.clusters[primary] if primary is not None else None
    return clusters == 1 and event.valid_samples == event.samples, clusters in (1, None)


def left_words(event: Deciding) -> str:
    """Return which answers are left, or the one that is."""
    return f"decided: {event.left[0]}" if event.is_decided else f"left: {', '.join(event.left)}"


def is_hopeless(event: Deciding) -> bool:
    """Whether no verdict is to be expected within the questions of the run."""
    return event.outlook is not None and event.outlook.chance < _HARDLY


def outlook_words(event: Deciding) -> str:
    """Return how likely a decision is, then how many questions it needs; empty where that is not known."""
    found = event.outlook
    if found is None:
        return ""
    chance = "<1%" if found.chance < 0.01 else f"{found.chance:.0%}"
    fewest, most = (x if x is None else count(round(x, 2 - len(str(x)))) for x in (found.fewest, found.most))
    if most is None:
        needed = f"over {fewest or count(MOST_QUESTIONS)}"
    else:
        needed = f"about {most if fewest == most else f'{fewest} to {most}'}"
    return f"{chance} likely in the other {count(event.of - event.questions)}, needs {needed} questions"


def deciding_text(event: Deciding) -> str:
    """Return where the decision stands, in a few words."""
    counted = "1 question" if event.questions == 1 else f"{count(event.questions)} questions"
    found = f"{counted} in order {percent_interval(event.low, event.high)}, {left_words(event)}"
    ahead = outlook_words(event)
    return "; ".join(filter(None, (found, f"{HOPELESS}: {ahead}" if is_hopeless(event) else ahead)))
