"""What of a run enters the figures, read once: every section of the report is a function of it.

An unfinished question enters nothing, because what is finished first is short. Nothing here counts or judges.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.methods import similarity_matrix
from homogaudit.codec import finite
from homogaudit.labels.judges import RECORDED
from homogaudit.labels.refusals import is_refusal
from homogaudit.records import (
    Clustering,
    ClusteringMethod,
    Label,
    ModelCall,
    ResourceCost,
    SampleSet,
)
from homogaudit.report.analysis_records import Direction
from homogaudit.report.level import deciding_starts
from homogaudit.report.records import Estimate, Undefined
from homogaudit.signals.registry import SIGNALS
from homogaudit.statistics import Rate, bootstrap_means, wilson
from homogaudit.store import RunFile, RunState, Scoring, Session
from homogaudit.store.rate_only import FirstLook, RateOnly
from homogaudit.store.signal_columns import SignalColumn
from homogaudit.store.until_decided import UntilDecided

_CHUNK = 500
"""Questions whose embeddings are held at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Similarities:
    """How similar the answers of each fully valid question are to each other.

    Attributes:
        matrices: Shape (q, N, N).
    """

    question_ids: tuple[str, ...]
    matrices: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RunData:
    """The finished questions of a run, and what is stored of them; each table is read when it is first asked for.

    Attributes:
        run: For the token arrays, which are most of a run and are read by few.
        sets: Every question of the file in its order, as far as it is drawn. Without token arrays.
        sample_count: N; 0 where the run holds greedy answers only.
        finished: Questions whose N samples (and greedy answer, where the run draws one) are stored; where a recorded
            run holds no samples, those with a greedy answer or a recorded label. Of a run for the rate alone those of
            the random share that is drawn to the end.
        unscored_ids: Those of them that are not yet clustered, labelled and measured as the run was last asked to.
        fully_valid: Those of them whose N samples all hold an answer; none where N < 2.
        parameters: Everything that the draws depend on.
        scoring: What the run was last scored with, `None` before.
        rule: That of a run which stops once it is decided: what it says of its rates holds at any number of questions,
            and `finished` are those before the first that is not. `None` where all of a file is drawn.
        short: The rule of a run for the rate alone, `None` of another.
        looks: What became of its first looks.
        counted_sets: Its questions that are drawn as far as the rate needs; `None` of another run.
    """

    run: RunFile
    sets: tuple[SampleSet, ...]
    sample_count: int
    finished: tuple[SampleSet, ...]
    unscored_ids: frozenset[str]
    fully_valid: tuple[SampleSet, ...]
    parameters: Mapping[str, Any]
    scoring: Scoring | None
    rule: UntilDecided | None = None
    short: RateOnly | None = None
    looks: Mapping[str, FirstLook] = field(default_factory=dict[str, FirstLook])
    counted_sets: tuple[SampleSet, ...] | None = None

    @property
    def counted(self) -> tuple[SampleSet, ...]:
        """The questions that the single-cluster rate counts: the finished ones, unless a run is for the rate alone."""
        return self.finished if self.counted_sets is None else self.counted_sets

    @cached_property
    def stopped_ids(self) -> frozenset[str]:
        """The counted questions that are drawn no further than their first samples, which lie apart."""
        return frozenset(x.question.id for x in self.counted if (y := self.looks.get(x.question.id)) and y.stops)

    @cached_property
    def fully_valid_ids(self) -> frozenset[str]:
        """The counted questions all of whose samples hold an answer, as many as there are to be."""
        if self.counted_sets is None:
            return frozenset(x.question.id for x in self.fully_valid)
        return frozenset(x.question.id for x in self.counted if x.valid_count == len(x.samples))

    @cached_property
    def ended(self) -> tuple[SampleSet, ...]:
        """The counted questions whose N samples are all drawn."""
        return tuple(x for x in self.counted if x.question.id not in self.stopped_ids)

    @property
    def starts(self) -> tuple[float, ...] | None:
        """Where the bands begin between which such a run decides; `None` of another."""
        return None if self.rule is None else deciding_starts(self.rule.max_scr)

    @property
    def is_stopped(self) -> bool:
        """Whether such a run has not drawn its whole file."""
        return self.rule is not None and len(self.finished) < len(self.sets)

    def sampler(self, name: str) -> float | None:
        """Return a sampler's setting for the samples, `None` where it is not known.

        Recorded generations may keep it under `samples`, apart from that of the greedy answers.
        """
        decoding = mapping(self.parameters.get("decoding"))
        return finite(decoding.get(name, mapping(decoding.get("samples")).get(name)))

    @cached_property
    def finished_ids(self) -> tuple[str, ...]:
        """The ids of the finished questions."""
        return tuple(x.question.id for x in self.finished)

    @cached_property
    def valid_counts(self) -> tuple[int, ...]:
        """How many samples of each finished question hold an answer."""
        return tuple(x.valid_count for x in self.finished)

    @cached_property
    def refusals(self) -> tuple[int, ...]:
        """How many valid samples of each counted question decline to answer."""
        return tuple(sum(is_refusal(sample.answer) for sample in x.valid_samples) for x in self.counted)

    @cached_property
    def refused_ids(self) -> frozenset[str]:
        """The counted questions at least half of whose valid samples decline to answer."""
        counted = zip(self.counted, self.refusals, strict=True)
        return frozenset(x.question.id for x, refused in counted if refused and 2 * refused >= x.valid_count)

    @cached_property
    def sessions(self) -> Sequence[Session]:
        """The processes that worked on the run, oldest first."""
        return self.run.sessions()

    @cached_property
    def signals(self) -> Mapping[str, SignalColumn]:
        """Every stored value by signal name, then by question id."""
        return self.run.signals()

    @cached_property
    def finished_places(self) -> NDArray[np.intp]:
        """The places of the finished questions among all, from 0."""
        finished = frozenset(self.finished_ids)
        return np.flatnonzero([x.question.id in finished for x in self.sets])

    @cached_property
    def directions(self) -> Mapping[str, Direction]:
        """-1 for recorded signals where lower is more uncertain; computed ones are stored turned already."""
        return signal_directions(self.run)

    @cached_property
    def signal_names(self) -> tuple[str, ...]:
        """The stored signals: those of the registry in its order, then the recorded ones."""
        return (*(x for x in SIGNALS if x in self.signals), *(x for x in self.signals if x not in SIGNALS))

    @cached_property
    def signal_matrix(self) -> NDArray[np.float64]:
        """By name and finished question, each turned so that higher is more uncertain, NaN where undefined."""
        matrix = np.full((len(self.signal_names), len(self.finished)), np.nan)
        for row, name in zip(matrix, self.signal_names, strict=True):
            row[:] = self.signals[name].numbers[self.finished_places] * self.directions.get(name, 1)
        matrix[~np.isfinite(matrix)] = np.nan
        return matrix

    @cached_property
    def calls(self) -> Mapping[str, Mapping[str, ModelCall]]:
        """What the model, and models that judge, said of the answers: by question id, then by kind."""
        return self.run.calls()

    @cached_property
    def costs(self) -> Sequence[ResourceCost]:
        """What questions cost."""
        return self.run.costs()

    @cached_property
    def labels(self) -> Mapping[str, Mapping[str, Label]]:
        """The stored labels by judge, then by question id."""
        return {judge: self.run.labels(judge) for judge in self.run.judges()}

    @cached_property
    def clustering_methods(self) -> Sequence[ClusteringMethod]:
        """The methods that have stored clusterings."""
        return self.run.clustering_methods()

    @cached_property
    def _clusterings(self) -> dict[str, Mapping[str, Clustering]]:
        return {}

    def clusterings(self, method: ClusteringMethod) -> Mapping[str, Clustering]:
        """Return the clusters of the valid samples as they are now; others were stored for other samples."""
        if method.key not in self._clusterings:
            stored = self.run.clusterings(method)
            self._clusterings[method.key] = {
                x.question.id: stored[x.question.id]
                for x in self.counted
                if x.question.id in stored and len(stored[x.question.id].assignment) == x.valid_count
            }
        return self._clusterings[method.key]

    @cached_property
    def _similarities(self) -> dict[tuple[str, str | None, bool], Similarities]:
        return {}

    def similarities(self, method: ClusteringMethod, *, ended: bool = False) -> Similarities:
        """Return the similarities behind a method, whatever its linkage and threshold.

        A question whose embeddings, or similarities in meaning, are not stored is left out; entailment compares too
        few pairs to have any. With `ended` they are of all questions whose samples are all drawn and hold an answer,
        which are more where a run is for the rate alone. Those of one similarity are kept at a time: of 100,000
        questions with ten samples they are 80 MB.
        """
        ended = ended and self.counted_sets is not None
        key = (method.similarity, method.embedder, ended)
        if key not in self._similarities:
            for other in [x for x in self._similarities if x[:2] != key[:2]]:
                del self._similarities[other]
            sets = self.fully_valid
            if ended:
                sets = [x for x in self.ended if x.question.id in self.fully_valid_ids]
            self._similarities[key] = self._similarities_of(method, sets, self.sample_count)
        return self._similarities[key]

    def partial_similarities(self, method: ClusteringMethod, *, ended: bool = False) -> Iterator[Similarities]:
        """Yield those of the valid samples of the other questions that have two, by how many are valid."""
        by_size: dict[int, list[SampleSet]] = {}
        for x in self.ended if ended else self.finished:
            if 2 <= (valid := x.valid_count) < len(x.samples):
                by_size.setdefault(valid, []).append(x)
        for size, sets in by_size.items():
            yield self._similarities_of(method, sets, size)

    def _similarities_of(self, method: ClusteringMethod, sets: Sequence[SampleSet], size: int) -> Similarities:
        ids: list[str] = []
        matrices = np.empty((len(sets), size, size))
        for start in range(0, 0 if method.similarity == "entailment" else len(sets), _CHUNK):
            for question_id, matrix in self._matrices(method, sets[start : start + _CHUNK]).items():
                matrices[len(ids)] = matrix
                ids.append(question_id)
        return Similarities(tuple(ids), matrices[: len(ids)])

    def _matrices(self, method: ClusteringMethod, sets: Sequence[SampleSet]) -> dict[str, NDArray[np.float64]]:
        answers = {x.question.id: [sample.answer for sample in x.valid_samples] for x in sets}
        if method.similarity == "meaning":
            stored = {
                x.question.id: self.run.similarities(method.embedder or "", x.question.text, answers[x.question.id])
                for x in sets
            }
            return {question_id: matrix for question_id, matrix in stored.items() if matrix is not None}
        if method.embedder is None:
            return {question_id: similarity_matrix(texts, method) for question_id, texts in answers.items()}
        vectors = self.run.embeddings(method.embedder, (text for texts in answers.values() for text in texts))
        return {
            question_id: similarity_matrix(texts, method, np.stack([vectors[text] for text in texts]))
            for question_id, texts in answers.items()
            if all(text in vectors for text in texts)
        }


def read_run(run: RunFile, *, late: bool = False) -> RunData:
    """Read the draws of a run and keep the finished questions.

    Args:
        run: Open for reading.
        late: Whether samples, most of what a large run takes, are read whenever they are asked for instead of held. The
            run must stay open then, and none be drawn.
    """
    sets = tuple(run.late_sample_sets() if late else run.sample_sets(token_arrays=False))
    states, samples = run.question_states(), run.expected_samples()
    # A label that came with the file was given to an answer, whether the file brings its text or not.
    labelled = run.labels(RECORDED).keys() if run.is_recorded and samples == 0 else frozenset[str]()
    finished = tuple(
        x
        for x in sets
        # Recorded answers are what they are: of some questions there may be fewer than of others.
        if states[x.question.id] in (RunState.DRAWN, RunState.SCORED)
        and len(x.samples) >= samples
        and (samples > 0 or x.greedy is not None or x.question.id in labelled)
    )
    rule = UntilDecided.of_parameters(run.parameters)
    if rule is not None:
        if run.continued and len(finished) == len(sets):
            rule = None
        else:
            ended = {x.question.id for x in finished}
            finished = tuple(takewhile(lambda x: x.question.id in ended, sets))
    short, looks, counted = _of_rate_alone(run, sets, finished)
    if counted is not None and short is not None:
        audited = short.audited(x.question.id for x in sets)
        finished = tuple(x for x in counted if x.question.id in audited)
    fully_valid = tuple(x for x in finished if samples >= 2 and x.valid_count == len(x.samples))
    unscored = frozenset(x.question.id for x in counted or finished if states[x.question.id] is RunState.DRAWN)
    return RunData(
        run, sets, samples, finished, unscored, fully_valid, run.parameters, run.scoring, rule, short, looks, counted
    )


def _of_rate_alone(
    run: RunFile, sets: tuple[SampleSet, ...], finished: tuple[SampleSet, ...]
) -> tuple[RateOnly | None, Mapping[str, FirstLook], tuple[SampleSet, ...] | None]:
    """Return the rule of a run for the rate alone, its looks and the questions that the rate counts.

    They are those before the first that is not drawn so far, because a question that stops is drawn sooner. Of a run
    that goes on with `--continue` one that has stopped counts as it did until all are drawn: those that are drawn to
    the end by then are no random share.
    """
    short = RateOnly.of_parameters(run.parameters)
    if short is None or (run.continued and len(finished) == len(sets)):
        return None, {}, None
    looks, ended = run.first_looks(), frozenset(x.question.id for x in finished)
    reached = {name for name, look in looks.items() if look.stops or name in ended}
    counted = tuple(takewhile(lambda x: x.question.id in reached, sets))
    return short, looks, counted


def signal_directions(run: RunFile) -> dict[str, Direction]:
    """Return -1 for recorded signals where lower is more uncertain; computed ones are stored turned already."""
    return {name: -1 for name, direction in run.directions.items() if direction == -1 and name not in SIGNALS}


def mapping(value: Any) -> dict[str, Any]:
    """Return a stored JSON object, or an empty one where something else was stored."""
    return dict(cast(Mapping[str, Any], value)) if isinstance(value, Mapping) else {}


def rate(k: int, n: int, reason: str) -> Rate | Undefined:
    """Return `k / n` with its Wilson interval, or `reason` where `n` is 0."""
    return wilson(k, n) if n else Undefined(reason)


def mean_estimates(
    rows: Sequence[Sequence[float]], reason: str, *, draws: int, seed: int
) -> tuple[Estimate | Undefined, ...]:
    """Return means over the same questions with their bootstrap intervals, or `reason` without any question.

    Equal values have no interval: a bootstrap of them has no width, whatever the next question would be.
    """
    if not rows or not rows[0]:
        return (Undefined(reason),) * len(rows)
    varied = [place for place, values in enumerate(rows) if len(set(values)) > 1]
    found = bootstrap_means([rows[place] for place in varied], draws=draws, seed=seed) if varied else ()
    intervals = dict(zip(varied, found, strict=True))
    return tuple(
        Estimate(sum(values) / len(values), own.low if own else None, own.high if own else None, len(values))
        for values, own in ((values, intervals.get(place)) for place, values in enumerate(rows))
    )
