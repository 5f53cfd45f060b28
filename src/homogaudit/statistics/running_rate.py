"""The single-cluster rate while a run goes on: from when it is shown, and which questions it covers.

What is finished first has short answers, so a rate over whatever is scored is not the rate of the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from homogaudit.clustering.methods import primary_of
from homogaudit.events import QuestionScored
from homogaudit.statistics.rates import Rate, wilson
from homogaudit.statistics.two_phase_rate import two_phase_rate


@dataclass(frozen=True, slots=True)
class RateSeries:
    """The running rate of one clustering.

    Attributes:
        singles: Single-cluster questions among the first 1, 2, ... counted ones; of a run for the rate alone those of
            them that did not lie apart at first.
        reversals: Of such a run the audited questions among them that lay apart and have one cluster; empty of another.
        audited: Of such a run the audited questions among them; empty of another.
    """

    method: str
    singles: tuple[int, ...]
    reversals: tuple[int, ...] = ()
    audited: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """How many questions are counted."""
        return len(self.singles)

    @property
    def k(self) -> int:
        """How many of them have one cluster; of a run for the rate alone about as many."""
        return round(self.n * (self.value() or 0.0))

    @property
    def is_two_phase(self) -> bool:
        """Whether it is an estimate of a run for the rate alone."""
        return bool(self.audited)

    def value(self, n: int | None = None) -> float | None:
        """Return the rate of the first `n` counted questions, of all without `n`; `None` before there is one.

        It costs nothing, where the interval of `rate` takes milliseconds in a run for the rate alone.
        """
        n = self.n if n is None else n
        if not n or (self.is_two_phase and not self.audited[n - 1]):
            return None
        again = self.reversals[n - 1] / self.audited[n - 1] if self.is_two_phase else 0.0
        return min(1.0, self.singles[n - 1] / n + again)

    @property
    def rate(self) -> Rate:
        """The rate of now with its interval: Wilson's, of a run for the rate alone that of `two_phase_rate`.

        Raises:
            UndefinedStatisticError: No question is counted, or none of those that are is audited.
        """
        if not self.n:
            return wilson(0, 0)
        if not self.is_two_phase:
            return wilson(self.singles[-1], self.n)
        return two_phase_rate(self.singles[-1], self.n, self.reversals[-1], self.audited[-1])


@dataclass(frozen=True, slots=True)
class RunningRates:
    """What is shown of the questions that are scored.

    Attributes:
        rates: By clustering, the primary one first.
        histograms: Questions by their number of clusters, by clustering name; of a run for the rate alone the audited
            ones.
        scored: Questions that are scored.
        skipped: Of those that the rates cover, the ones with too few valid samples, which no rate counts.
        waiting_for: Number of the question, from 1, without which the rates are provisional; `None` where they cover
            the questions in their order.
    """

    rates: tuple[RateSeries, ...] = ()
    histograms: Mapping[str, Mapping[int, int]] = field(default_factory=dict[str, Mapping[int, int]])
    scored: int = 0
    skipped: int = 0
    waiting_for: int | None = None

    @property
    def primary(self) -> RateSeries | None:
        """The rate that the verdict will be read from."""
        return self.rates[0] if self.rates else None

    @property
    def note(self) -> str:
        """Why the rates are provisional; empty where they are not."""
        return "" if self.waiting_for is None else f"{self.scored} scored, waiting for question {self.waiting_for}"


class _Tally:
    """Counts in one order of the questions."""

    def __init__(self) -> None:
        self.size = 0
        self.skipped = 0
        self._counts: dict[str, tuple[list[int], list[int], list[int]]] = {}
        self.histograms: dict[str, dict[int, int]] = {}

    @property
    def rates(self) -> tuple[RateSeries, ...]:
        primary = primary_of(self._counts)
        methods = sorted(self._counts, key=lambda method: method != primary)
        return tuple(RateSeries(method, *map(tuple, self._counts[method])) for method in methods)

    def add(self, event: QuestionScored) -> None:
        self.size += 1
        # One that has stopped is known to lie apart, whatever its missing answers say.
        if event.valid_samples < event.samples and not event.is_stopped:
            self.skipped += 1
            return
        for method, clusters in event.clusters.items():
            counts = self._counts.setdefault(method, ([], [], []))
            is_single = clusters == 1 and not event.is_stopped
            found = [is_single and not event.is_apart]
            if event.is_apart is not None:
                found += [is_single and event.is_apart, event.is_audited]
            for column, more in zip(counts, found, strict=False):
                column.append((column[-1] if column else 0) + more)
            if event.is_apart is None or event.is_audited:
                histogram = self.histograms.setdefault(method, {})
                histogram[clusters] = histogram.get(clusters, 0) + 1


class RateCounter:
    """Takes scored questions in any order; one that is scored again is not counted again.

    The rates cover the questions up to the first one that is not scored yet. Where that is less than half of what
    is scored they cover all that is scored, and are provisional.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, QuestionScored] = {}
        self._seen: set[int] = set()
        self._in_order = _Tally()
        self._all = _Tally()

    def add(self, event: QuestionScored) -> None:
        """Take one scored question."""
        if event.position in self._seen:
            return
        self._seen.add(event.position)
        self._all.add(event)
        self._waiting[event.position] = event
        while (ready := self._waiting.pop(self._in_order.size, None)) is not None:
            self._in_order.add(ready)

    def shown(self) -> RunningRates:
        """Return what is shown now."""
        is_provisional = 2 * self._in_order.size < self._all.size
        tally = self._all if is_provisional else self._in_order
        return RunningRates(
            tally.rates,
            {method: dict(sorted(counts.items())) for method, counts in tally.histograms.items()},
            self._all.size,
            tally.skipped,
            self._in_order.size + 1 if is_provisional else None,
        )
