"""What of a run enters the figures: the scored questions, N, and the parameters as far as they are known.

An unfinished question enters nothing, because what is finished first is short. Nothing here counts or judges.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from homogaudit.labels.judges import RECORDED
from homogaudit.records import Generation, SampleSet
from homogaudit.report.records import Estimate, Undefined
from homogaudit.statistics import Rate, bootstrap_mean, wilson
from homogaudit.store.run_file import RunFile

__all__ = ["Evidence", "gather", "mapping", "mean_estimate", "number", "rate", "sampler"]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The draws of the scored questions, without token arrays.

    Attributes:
        questions: Of the question file.
        samples: N; 0 where the run holds greedy answers only.
        scored: Questions whose N samples (and greedy answer, where the run draws one) are stored; where a recorded
            run holds no samples, those with a greedy answer or a recorded label.
        fully_valid: Those of them whose N samples all hold an answer; none where N < 2.
    """

    questions: int
    samples: int
    scored: tuple[SampleSet, ...]
    fully_valid: tuple[SampleSet, ...]

    def drawn(self) -> Iterator[Generation]:
        """Yield every sample of the scored questions."""
        for sample_set in self.scored:
            yield from sample_set.samples


def gather(run: RunFile) -> Evidence:
    """Read the draws of a run and keep the scored questions."""
    sets = list(run.sample_sets(token_arrays=False))
    decoding = mapping(run.parameters.get("decoding"))
    samples = run.expected_samples()
    # Recorded generations are what they are: their header may tell of greedy answers that it does not bring.
    draws_greedy = "greedy_max_tokens" in decoding and not run.parameters.get("recorded")
    needs_greedy = draws_greedy or samples == 0
    # A label that came with the file was given to an answer, whether the file brings its text or not.
    labelled = run.labels(RECORDED).keys() if samples == 0 and not draws_greedy else frozenset[str]()
    scored = tuple(
        x
        for x in sets
        if len(x.samples) >= samples and (not needs_greedy or x.greedy is not None or x.question.id in labelled)
    )
    fully_valid = tuple(x for x in scored if samples >= 2 and len(x.valid_samples) == len(x.samples))
    return Evidence(len(sets), samples, scored, fully_valid)


def mapping(value: Any) -> dict[str, Any]:
    """Return a stored JSON object, or an empty one where something else was stored."""
    return dict(cast(Mapping[str, Any], value)) if isinstance(value, Mapping) else {}


def number(value: Any) -> float | None:
    """Return a stored JSON number, `None` where something else was stored."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def sampler(run: RunFile, name: str) -> float | None:
    """Return a sampler's setting for the samples, `None` where it is not known.

    Recorded generations may keep it under `samples`, apart from that of the greedy answers.
    """
    decoding = mapping(run.parameters.get("decoding"))
    return number(decoding.get(name, mapping(decoding.get("samples")).get(name)))


def rate(k: int, n: int, reason: str) -> Rate | Undefined:
    """Return `k / n` with its Wilson interval, or `reason` where `n` is 0."""
    return wilson(k, n) if n else Undefined(reason)


def mean_estimate(values: list[float], reason: str, *, draws: int, seed: int) -> Estimate | Undefined:
    """Return a mean over questions with its bootstrap interval, or `reason` without any.

    Equal values have no interval: a bootstrap of them has no width, whatever the next question would be.
    """
    if not values:
        return Undefined(reason)
    mean = sum(values) / len(values)
    if len(set(values)) < 2:
        return Estimate(mean, None, None, len(values))
    interval = bootstrap_mean(values, draws=draws, seed=seed)
    return Estimate(mean, interval.low, interval.high, len(values))
