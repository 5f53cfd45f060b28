"""Which questions of a run for the rate alone stop after their first samples, and what that saves."""

from collections.abc import Sequence
from dataclasses import replace

from homogaudit.records import GREEDY, SampleSet
from homogaudit.store import RunFile
from homogaudit.store.rate_only import FirstLook, RateOnly

_APART = 0.8
_APART_WEIGHT = 10
"""Share of the questions whose first samples lie apart, before any was looked at, and how many looks weigh as much: 57
to 98% in thirteen recorded runs. It is for estimates alone."""


class FirstLooks:
    """Looks at each question once its first samples are there, and stores what becomes of it.

    Attributes:
        first: Samples that are looked at.
        audited: Questions that are drawn to the end whatever they look like.
        stopped: Questions that are drawn no further.
    """

    def __init__(self, run: RunFile, rule: RateOnly, question_ids: Sequence[str]) -> None:
        self._run = run
        self._samples = run.expected_samples()
        self._looks = run.first_looks()
        self.first = rule.first
        self.audited = rule.audited(question_ids)
        self.stopped = {name for name, look in self._looks.items() if look.stops}
        self._open = sum(name not in self._looks and name not in self.audited for name in question_ids)
        self._apart = [look.is_apart for name, look in self._looks.items() if name not in self.audited]

    def is_open(self, question_id: str) -> bool:
        """Whether it is to be looked at whether a question is drawn to the end."""
        return question_id not in self._looks and question_id not in self.audited

    def is_due(self, question_id: str) -> bool:
        """Whether a question of the audit is to be looked at, as the others are: once its first samples are there."""
        return question_id in self.audited and question_id not in self._looks

    def is_apart(self, question_id: str) -> bool:
        """Whether somebody has looked at the first samples of a question, and they lie apart."""
        return question_id in self._looks and self._looks[question_id].is_apart

    def wanted(self, question_id: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the sample indexes of a question to be drawn now, and those that may come after the look."""
        first, rest = range(self.first), range(self.first, self._samples)
        if question_id in self.stopped:
            return (GREEDY, *first), ()
        if self.is_open(question_id):
            return (GREEDY, *first), (*rest,)
        return (GREEDY, *first, *rest), ()

    def of_first(self, sample_set: SampleSet) -> SampleSet | None:
        """Return a question with its first samples alone where nobody has looked at them, else `None`."""
        if sample_set.question.id in self._looks:
            return None
        return replace(sample_set, samples=[x for x in sample_set.samples if x.sample_index < self.first])

    def note(self, question_id: str, *, is_apart: bool) -> bool:
        """Store what a question looks like, and return whether it stops."""
        is_audited = question_id in self.audited
        look = self._looks[question_id] = FirstLook(is_apart, is_apart and not is_audited)
        self._run.add_first_look(question_id, look)
        if not is_audited:
            self._open -= 1
            self._apart.append(is_apart)
        if look.stops:
            self.stopped.add(question_id)
        return look.stops

    @property
    def saved(self) -> int:
        """How many answers of the run are not drawn: those of stopped questions, and about as many of open ones."""
        return (self._samples - self.first) * len(self.stopped) + self._spared

    @property
    def expected(self) -> int:
        """About how many answers of open questions are still to come after their first."""
        return (self._samples - self.first) * self._open - self._spared

    @property
    def _spared(self) -> int:
        share = (sum(self._apart) + _APART * _APART_WEIGHT) / (len(self._apart) + _APART_WEIGHT)
        return round((self._samples - self.first) * self._open * share)
