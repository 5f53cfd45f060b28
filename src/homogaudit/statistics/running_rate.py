"""The single-cluster rate while a run goes on: from when it is shown, and which questions it covers.

What is finished first has short answers, so a rate over whatever is scored is not the rate of the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from homogaudit.clustering.methods import primary_of
from homogaudit.events import QuestionScored
from homogaudit.statistics.rates import Rate, wilson


@dataclass(frozen=True, slots=True)
class RateSeries:
    """The running rate of one clustering.

    Attributes:
        singles: Single-cluster questions among the first 1, 2, ... counted ones.
    """

    method: str
    singles: tuple[int, ...]

    @property
    def n(self) -> int:
        """How many questions are counted."""
        return len(self.singles)

    @property
    def k(self) -> int:
        """How many of them have one cluster."""
        return self.singles[-1] if self.singles else 0

    @property
    def rate(self) -> Rate:
        """The rate of now with its Wilson interval.

        Raises:
            UndefinedStatisticError: No question is counted.
        """
        return wilson(self.k, self.n)


@dataclass(frozen=True, slots=True)
class RunningRates:
    """What is shown of the questions that are scored.

    Attributes:
        rates: By clustering, the primary one first.
        histograms: Questions by their number of clusters, by clustering name.
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
        self.singles: dict[str, list[int]] = {}
        self.histograms: dict[str, dict[int, int]] = {}

    def add(self, event: QuestionScored) -> None:
        self.size += 1
        if event.valid_samples < event.samples:
            self.skipped += 1
            return
        for method, clusters in event.clusters.items():
            singles = self.singles.setdefault(method, [])
            singles.append((singles[-1] if singles else 0) + (clusters == 1))
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
        primary = primary_of(tally.singles)
        methods = sorted(tally.singles, key=lambda method: method != primary)
        return RunningRates(
            tuple(RateSeries(method, tuple(tally.singles[method])) for method in methods),
            {method: dict(sorted(counts.items())) for method, counts in tally.histograms.items()},
            self._all.size,
            tally.skipped,
            self._in_order.size + 1 if is_provisional else None,
        )
