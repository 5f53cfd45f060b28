"""Everything that is known of one question of a run, as frozen data, and its clusters at any threshold.

Reads the run file and computes; it draws nothing and knows no widget.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.entailment import ENTAILMENT
from homogaudit.clustering.linkage import cluster_counts_by_threshold, link
from homogaudit.clustering.methods import similarity_matrix
from homogaudit.errors import UsageError
from homogaudit.generation.token_texts import answer_token_texts
from homogaudit.labels.refusals import is_refusal
from homogaudit.labels.verdict import Verdict
from homogaudit.records import Clustering, ClusteringMethod, Generation, Label, Question, SampleSet, SignalValue
from homogaudit.report.homogenization import run_methods
from homogaudit.report.labels import choose_judge
from homogaudit.report.run_data import signal_directions
from homogaudit.report.undefined import Undefined
from homogaudit.signals.registry import SIGNALS
from homogaudit.store.run_file import RunFile

Float64Array = NDArray[np.float64]

_EQUAL = 1.0
"""What a method without a threshold joins at: its similarity is 1 where two answers are equal."""


@dataclass(frozen=True, slots=True)
class TokenView:
    """One token of an answer: its text, `None` where it is not known, and its entropy in nats, NaN likewise."""

    text: str | None
    entropy: float


@dataclass(frozen=True, slots=True)
class DrawView:
    """One draw, greedy or sampled.

    Attributes:
        text: The answer, or the raw text where there is none.
        states: What is to be said of it, keys of `theme.STATES`; `valid` alone where there is nothing.
        is_valid: It holds an answer, and so has a cluster.
        verdict: What the run's main judge says of a sample, `None` where it judged none.
    """

    text: str
    states: tuple[str, ...]
    is_valid: bool
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MethodView:
    """One clustering of the question's valid samples.

    Attributes:
        assignment: Cluster of each valid sample as it is stored, or why there is none.
        similarity: (valid, valid), or why it is not known.
        one_cluster_to: The highest threshold at which the samples still form one cluster, or why there is none.
    """

    name: str
    method: ClusteringMethod
    assignment: tuple[int, ...] | Undefined
    similarity: Float64Array | Undefined
    one_cluster_to: float | Undefined

    @property
    def can_recluster(self) -> bool:
        """Whether another threshold can be asked for."""
        return self.method.threshold is not None and not isinstance(self.similarity, Undefined)


@dataclass(frozen=True, slots=True)
class ClusterGroup:
    """One cluster.

    Attributes:
        number: From 0, in the order of first appearance.
        members: Places among the valid samples, that with the highest mean similarity to the others first.
        share: Of the valid samples.
    """

    number: int
    members: tuple[int, ...]
    share: float


@dataclass(frozen=True, slots=True)
class RankedSignal:
    """One signal of the question.

    Attributes:
        value: As stored, or why there is none.
        rank: 1 for the most uncertain question of the run; the best of equal ones.
        tied: Other questions with the same value.
        n: Questions of the run with a value.
    """

    name: str
    value: float | Undefined
    rank: int
    tied: int
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class QuestionView:
    """Everything that is known of one question.

    Attributes:
        position: From 0, in the order of the run.
        ids: Of all questions of the run, in order.
        labels: One a judge, that of the run's main judge first.
        greedy: The greedy answer, or why there is none.
        greedy_tokens: Its tokens, or why they are not known.
        expected: Samples a question of the run.
        is_stopped: Its first samples lie apart, and it is drawn no further, because the run is for the rate alone.
        signals: In the order of `signals.registry`, those without a value last.
    """

    question: Question
    position: int
    ids: tuple[str, ...]
    labels: tuple[Label, ...]
    greedy: DrawView | Undefined
    greedy_tokens: tuple[TokenView, ...] | Undefined
    samples: tuple[DrawView, ...]
    expected: int
    is_stopped: bool
    methods: tuple[MethodView, ...]
    signals: tuple[RankedSignal, ...]

    @property
    def valid_samples(self) -> tuple[DrawView, ...]:
        """The samples that hold an answer: those that have a cluster."""
        return tuple(sample for sample in self.samples if sample.is_valid)


@dataclass(frozen=True, slots=True, eq=False)
class RunTables:
    """What is read once for all questions of a run.

    Attributes:
        clusterings: By method name, then by question id.
        labels: By judge, the run's main judge first, then by question id.
        signals: By name, then by question id.
        directions: -1 for recorded signals where lower is more uncertain.
    """

    ids: tuple[str, ...]
    methods: Mapping[str, ClusteringMethod]
    clusterings: Mapping[str, Mapping[str, Clustering]]
    labels: Mapping[str, Mapping[str, Label]]
    signals: Mapping[str, Mapping[str, SignalValue]]
    directions: Mapping[str, int]
    expected: int
    stopped: frozenset[str]


def read_tables(run: RunFile, *, signals: bool = True) -> RunTables:
    """Read what the views of all questions share; without `signals`, which take longest by far, a view has none."""
    methods = run_methods(run)
    main = choose_judge(run, None)
    judges = sorted(run.judges(), key=lambda judge: judge != main)
    return RunTables(
        ids=tuple(run.draw_counts()),
        methods=methods,
        clusterings={name: run.clusterings(method) for name, method in methods.items()},
        labels={judge: run.labels(judge) for judge in judges},
        signals=run.signals() if signals else {},
        directions=signal_directions(run),
        expected=run.expected_samples(),
        stopped=run.stopped_ids(),
    )


def load_question(run: RunFile, question_id: str, tables: RunTables | None = None) -> QuestionView:
    """Return everything that a run file knows of one question.

    Raises:
        UsageError: The run has no such question.
    """
    tables = tables or read_tables(run)
    if question_id not in tables.ids:
        raise UsageError(f"the run has no question `{question_id}`")
    (sample_set,) = run.sample_sets([question_id])
    judge = next(iter(tables.labels), None)
    of_samples = run.sample_labels(judge, question_id).get(question_id, {}) if judge is not None else {}
    return QuestionView(
        question=sample_set.question,
        position=tables.ids.index(question_id),
        ids=tables.ids,
        labels=tuple(by_id[question_id] for by_id in tables.labels.values() if question_id in by_id),
        greedy=Undefined("no greedy answer is stored") if sample_set.greedy is None else _draw(sample_set.greedy),
        greedy_tokens=_tokens(run, sample_set.greedy),
        samples=tuple(_draw(sample, of_samples.get(sample.sample_index)) for sample in sample_set.samples),
        expected=tables.expected,
        is_stopped=question_id in tables.stopped,
        methods=tuple(_method_view(run, tables, sample_set, name) for name in tables.methods),
        signals=_ranked(tables, question_id),
    )


def read_tokens(path: Path, question_id: str, sample_index: int) -> tuple[TokenView, ...]:
    """Return the tokens of one answer; none where they are not stored.

    Raises:
        HomogauditError: The run file cannot be read.
    """
    with RunFile.open(path) as run:
        (found,) = run.sample_sets([question_id])
        draws = [*found.samples, *([found.greedy] if found.greedy else [])]
        tokens = _tokens(run, next((x for x in draws if x.sample_index == sample_index), None))
    return () if isinstance(tokens, Undefined) else tokens


def groups_of(assignment: Sequence[int], similarity: Float64Array | None = None) -> tuple[ClusterGroup, ...]:
    """Return the clusters of an assignment, the largest first, of equal ones the first to appear.

    Args:
        assignment: Cluster number of each of n samples.
        similarity: (n, n), for the first member: the medoid, the first of equal ones.
    """
    members: dict[int, list[int]] = {}
    for place, cluster in enumerate(assignment):
        members.setdefault(cluster, []).append(place)
    groups: list[ClusterGroup] = []
    for number, places in members.items():
        best = places[0]
        if similarity is not None and len(places) > 2:
            best = places[int(similarity[np.ix_(places, places)].mean(axis=1).argmax())]
        ordered = (best, *(place for place in places if place != best))
        groups.append(ClusterGroup(number, ordered, len(places) / len(assignment)))
    return tuple(sorted(groups, key=lambda group: (-len(group.members), group.number)))


def recluster(method: MethodView, threshold: float) -> tuple[int, ...]:
    """Return the cluster of each valid sample at another threshold.

    Raises:
        ValueError: The method has no threshold or its similarities are not known.
    """
    if isinstance(method.similarity, Undefined) or method.method.threshold is None:
        raise ValueError(f"`{method.name}` cannot be clustered again")
    if method.method.similarity == "entailment":
        # Entailment joins above its threshold, the other similarities at it.
        threshold = math.nextafter(threshold, math.inf)
    return link(method.similarity, threshold, method.method.linkage)


def one_cluster_threshold(similarity: Float64Array, linkage: str) -> float:
    """Return the highest threshold at which all rows form one cluster.

    With `single` linkage it is the weakest link of the maximum spanning tree, with `leader` the least similarity to
    the first row: in both a similarity of a pair, so it is searched among those. With `average` it is the height of
    the last merge, found to the rounding of the linkage itself (1e-12).

    Args:
        similarity: (n, n), symmetric, n >= 2.
        linkage: As in `clustering.linkage.link`.
    """
    pairs = np.unique(similarity[np.triu_indices(len(similarity), 1)])
    if linkage != "average":
        first, last = 0, len(pairs) - 1
        while first < last:
            middle = (first + last + 1) // 2
            if _counts(similarity, linkage, [float(pairs[middle])])[0] == 1:
                first = middle
            else:
                last = middle - 1
        return float(pairs[first])
    low, high = float(pairs[0]), float(pairs[-1])
    while high - low > 1e-13:
        grid = np.linspace(low, high, 64)
        joined = np.flatnonzero(_counts(similarity, linkage, grid.tolist()) == 1)
        place = int(joined[-1]) if len(joined) else 0
        if place == len(grid) - 1:
            return high
        low, high = float(grid[place]), float(grid[place + 1])
    return low


def _counts(similarity: Float64Array, linkage: str, thresholds: Sequence[float]) -> NDArray[np.intp]:
    return cluster_counts_by_threshold(similarity[None], linkage, thresholds)[0]


def _draw(generation: Generation, label: Label | None = None) -> DrawView:
    states: list[str] = []
    if not generation.is_valid:
        states.append(generation.state.value)
    elif is_refusal(generation.answer):
        states.append("refused")
    if generation.is_truncated:
        states.append("truncated")
    text = generation.answer or generation.text
    verdict = None if label is None else Verdict(label.value, label.reason)
    return DrawView(text, tuple(states) or ("valid",), generation.is_valid, verdict)


def _tokens(run: RunFile, greedy: Generation | None) -> tuple[TokenView, ...] | Undefined:
    if greedy is None:
        return Undefined("no greedy answer is stored")
    statistics = greedy.statistics
    entropies = statistics.of_answer(statistics.entropies)
    if entropies is None:
        return Undefined("no token entropies are stored")
    texts = answer_token_texts(statistics, run.token_pieces) or [None] * len(entropies)
    return tuple(TokenView(text, float(entropy)) for text, entropy in zip(texts, entropies, strict=True))


def _method_view(run: RunFile, tables: RunTables, sample_set: SampleSet, name: str) -> MethodView:
    method = tables.methods[name]
    answers = [sample.answer for sample in sample_set.valid_samples]
    stored = tables.clusterings[name].get(sample_set.question.id)
    if len(answers) < 2:
        reason = Undefined(_too_few(sample_set))
        return MethodView(name, method, reason, reason, reason)
    similarity = _similarity(run, method, sample_set.question, answers)
    assignment: tuple[int, ...] | Undefined = Undefined("the samples are not clustered yet")
    if stored is not None and len(stored.assignment) == len(answers):
        assignment = stored.assignment
    elif not isinstance(similarity, Undefined):
        threshold = _EQUAL if method.threshold is None else method.threshold
        assignment = link(similarity, threshold, method.linkage)
    if method.threshold is None:
        height: float | Undefined = Undefined(f"{method.name} has no threshold")
    elif isinstance(similarity, Undefined):
        height = similarity
    else:
        height = one_cluster_threshold(similarity, method.linkage)
    return MethodView(name, method, assignment, similarity, height)


def _too_few(sample_set: SampleSet) -> str:
    if not sample_set.samples:
        return "no samples are stored"
    return "fewer than two samples hold an answer"


def _similarity(
    run: RunFile, method: ClusteringMethod, question: Question, answers: Sequence[str]
) -> Float64Array | Undefined:
    if method.similarity == "entailment":
        return _entailment(run, method.embedder or "", question, answers)
    rows = None
    if method.similarity == "meaning":
        matrix = run.similarities(method.embedder or "", question.text, answers)
        return Undefined("how similar the answers are in meaning is not stored") if matrix is None else matrix
    if method.embedder is not None:
        stored = run.embeddings(method.embedder, answers)
        unique = set(answers)
        missing = sum(answer not in stored for answer in unique)
        if missing:
            return Undefined(f"{missing} of {len(unique)} answers have no stored embedding")
        rows = np.stack([stored[answer] for answer in answers])
    try:
        return similarity_matrix(answers, method, rows)
    except UsageError as error:
        return Undefined(error.message.replace("`", ""))


def _entailment(run: RunFile, model: str, question: Question, answers: Sequence[str]) -> Float64Array | Undefined:
    """Return the lesser of both ways' probabilities for each pair, where those of all pairs are stored."""
    # The model may have read the question before each answer; the scores are kept under what it read.
    for before in ("", question.text.strip() + " "):
        texts = [before + answer for answer in answers]
        pairs = [(first, second) for first in set(texts) for second in set(texts) if first != second]
        scores = run.pair_scores(model, pairs)
        if len(scores) == len(pairs):
            one_way = np.array(
                [[1.0 if a == b else float(scores[a, b][ENTAILMENT]) for b in texts] for a in texts], dtype=np.float64
            )
            return np.minimum(one_way, one_way.T)
    return Undefined("answers that are joined already are not compared, so not every pair has a score")


def _ranked(tables: RunTables, question_id: str) -> tuple[RankedSignal, ...]:
    ranked: list[RankedSignal] = []
    known = {name: place for place, name in enumerate(SIGNALS)}
    for name in sorted(tables.signals, key=lambda name: (known.get(name, len(known)), name)):
        by_id = tables.signals[name]
        direction = tables.directions.get(name, 1)
        values = Counter(
            direction * signal.value
            for signal in by_id.values()
            if signal.value is not None and math.isfinite(signal.value)
        )
        own = by_id.get(question_id)
        if own is None or own.value is None:
            reason = Undefined((own.reason if own else "") or "no value is stored")
            ranked.append(RankedSignal(name, reason, 0, 0, values.total()))
            continue
        turned = direction * own.value
        above = sum(number for value, number in values.items() if value > turned)
        ranked.append(RankedSignal(name, own.value, above + 1, values[turned] - 1, values.total()))
    return tuple(sorted(ranked, key=lambda signal: isinstance(signal.value, Undefined)))
