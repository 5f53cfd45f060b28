"""Whether models are one: answers of several runs to the same question against each other, by stored embeddings.

Pure, reads only; no model is loaded. Questions are those whose samples all hold an answer in every run.
"""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.linkage import link
from homogaudit.clustering.methods import choose_methods
from homogaudit.clustering.similarity import cosine_similarity
from homogaudit.comparison.across_records import Across, AcrossPair, AcrossRun, SharedAnswer
from homogaudit.comparison.pairing import PairedRuns
from homogaudit.comparison.signals import SignalTable
from homogaudit.errors import UsageError
from homogaudit.records import ClusteringMethod, Generation
from homogaudit.report.homogenization import run_methods
from homogaudit.report.run_data import mean_estimates, rate
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate, Rate, wilson
from homogaudit.store.database import chunks

_CHUNK = 500
"""Questions whose vectors are held at once."""

_NOTHING = "no question has an answer in each of its samples in every run"


@dataclass(frozen=True, slots=True, eq=False)
class _Answers:
    """The answers of all runs to one question, one run after the other.

    Attributes:
        similarity: (runs * N, runs * N), of the samples.
        assignment: Their clusters, all runs together.
        greedy: (runs, runs), of the greedy answers; `None` where a run has none.
    """

    question_id: str
    similarity: NDArray[np.float64]
    assignment: tuple[int, ...]
    greedy: NDArray[np.float64] | None


def compare_across(paired: PairedRuns, tables: Mapping[str, SignalTable], *, draws: int, seed: int) -> Across:
    """Compare the answers of models with each other.

    Args:
        paired: The runs, cut to the questions and samples that are compared.
        tables: With the labels of each run, by name.
        draws: Of every bootstrap.
        seed: Of everything random.

    Raises:
        UsageError: The runs have no embeddings of one embedder, or no question that can be compared.
    """
    names, method = list(paired.runs), _common_method(paired)
    threshold = method.threshold
    assert threshold is not None
    found = list(_answers(paired, method))
    if not found:
        raise UsageError(_NOTHING, "raise `--max-tokens`, or draw the missing answers")
    n, ids = paired.samples, [x.question_id for x in found]
    blocks = np.array([_block_means(x.similarity, len(names), n) for x in found])
    couples = list(combinations(range(len(names)), 2))
    within = [blocks[:, at, at] for at in range(len(names))]
    between = [blocks[:, one, other] for one, other in couples]
    totals = [np.mean(within, axis=0), np.mean(between, axis=0)]
    rows = [row.tolist() for row in (*within, *between, *totals, totals[0] - totals[1])]
    means = [x for x in mean_estimates(rows, _NOTHING, draws=draws, seed=seed) if isinstance(x, Estimate)]
    leading = [_leading(x.assignment, n) for x in found]
    errors = _Errors(found, [tables[name].correct for name in names], method)
    every = range(len(names))
    one_answer = [len(set(x.assignment)) == 1 for x in found]
    return Across(
        embedder=str(method.embedder),
        threshold=threshold,
        questions=len(found),
        runs={name: AcrossRun(mean) for name, mean in zip(names, means, strict=False)},
        pairs=tuple(
            AcrossPair(
                names[couple[0]],
                names[couple[1]],
                mean,
                _same_leading(leading, couple),
                *errors.rates(couple),
            )
            for couple, mean in zip(couples, means[len(names) :], strict=False)
        ),
        similarity_within=means[-3],
        similarity_between=means[-2],
        excess=means[-1],
        one_answer=wilson(sum(one_answer), len(one_answer)),
        same_leading_answer=_same_leading(leading, every),
        **dict(zip(("all_wrong", "shared_errors"), errors.rates(every), strict=True)),
        same=_shared(paired, [x for x, is_one in zip(ids, one_answer, strict=True) if is_one]),
        errors=_shared(paired, errors.shared(every)),
    )


# Embeddings


def _common_method(paired: PairedRuns) -> ClusteringMethod:
    """Return the clustering by embedding whose embedder has embedded every answer of every run.

    Raises:
        UsageError: There is none; the hint names the command that makes one.
    """
    used = {
        x.data.scoring.embedder_source.key: x.data.scoring.embedder_source.name
        for x in (paired.runs[paired.baseline], *paired.runs.values())
        if x.data.scoring is not None and x.data.scoring.embedder_source is not None
    }
    for key in used:
        if all(_is_embedded(paired, name, key) for name in paired.runs):
            stored = (method for run in paired.runs.values() for method in run_methods(run.data.run).values())
            own = (x for x in stored if (x.similarity, x.embedder) == ("embedding", key))
            default = choose_methods(embedder=key, numeric=False, meaning=False)
            return next(own, next(x for x in default if x.similarity == "embedding"))
    lacking = next((x for x in paired.runs if not any(_is_embedded(paired, x, key) for key in list(used)[:1])), None)
    name = lacking or next(iter(paired.runs))
    embedder = shlex.quote(next(iter(used.values()), "NAME"))
    path = shlex.quote(str(paired.runs[name].data.run.path))
    raise UsageError(
        f"`{name}` holds no embeddings of its answers that the other runs have too",
        f"`homogaudit score {path} --embedder {embedder}` makes them",
    )


def _is_embedded(paired: PairedRuns, name: str, key: str) -> bool:
    """Whether a run holds the embedding of every compared answer."""
    run = paired.runs[name]
    texts = [sample.answer for x in run.sets.values() for sample in x.valid_samples]
    return all(
        run.data.run.embeddings(key, part).keys() >= set(part) for part in chunks(list(dict.fromkeys(texts)), _CHUNK)
    )


def _answers(paired: PairedRuns, method: ClusteringMethod) -> Iterator[_Answers]:
    """Yield the answers to each question whose samples all hold one in every run."""
    runs = list(paired.runs.values())
    whole = [x for x in paired.question_ids if all(run.sets[x].valid_count == paired.samples for run in runs)]
    for part in chunks(whole, _CHUNK):
        vectors = [
            run.data.run.embeddings(
                str(method.embedder),
                (draw.answer for x in part for draw in (*run.sets[x].samples, *_valid(run.sets[x].greedy))),
            )
            for run in runs
        ]
        for x in part:
            rows = [
                own[sample.answer] for run, own in zip(runs, vectors, strict=True) for sample in run.sets[x].samples
            ]
            greedy = [
                own[draw.answer]
                for run, own in zip(runs, vectors, strict=True)
                for draw in _valid(run.sets[x].greedy)
                if draw.answer in own
            ]
            similarity = cosine_similarity(np.stack(rows))
            between_greedy = cosine_similarity(np.stack(greedy)) if len(greedy) == len(runs) else None
            yield _Answers(x, similarity, _linked(similarity, method), between_greedy)


def _linked(similarity: NDArray[np.float64], method: ClusteringMethod) -> tuple[int, ...]:
    assert method.threshold is not None
    return link(similarity, method.threshold, method.linkage)


def _valid(greedy: Generation | None) -> tuple[Generation, ...]:
    return (greedy,) if greedy is not None and greedy.is_valid else ()


# Figures


def _block_means(similarity: NDArray[np.float64], runs: int, n: int) -> NDArray[np.float64]:
    """Return the mean similarity within each run, of two different samples, and between each two."""
    sums = similarity.reshape(runs, n, runs, n).sum(axis=(1, 3))
    pairs = np.full((runs, runs), float(n * n))
    np.fill_diagonal(pairs, n * (n - 1))
    # A sample is not compared with itself.
    return (sums - n * np.eye(runs)) / pairs


def _leading(assignment: Sequence[int], n: int) -> list[frozenset[int]]:
    """Return the largest clusters of each run, several where they are equally large."""
    counts = [Counter(assignment[start : start + n]) for start in range(0, len(assignment), n)]
    return [frozenset(x for x, size in own.items() if size == max(own.values())) for own in counts]


def _same_leading(leading: Sequence[Sequence[frozenset[int]]], runs: Sequence[int]) -> Rate:
    same = [bool(frozenset[int].intersection(*(own[at] for at in runs))) for own in leading]
    return wilson(sum(same), len(same))


@dataclass(frozen=True, slots=True, eq=False)
class _Errors:
    """The greedy answers of the runs, and whether each is correct, by question id."""

    answers: Sequence[_Answers]
    correct: Sequence[Mapping[str, bool]]
    method: ClusteringMethod

    def rates(self, runs: Sequence[int]) -> tuple[Rate | Undefined, Rate | Undefined]:
        """Return how often some runs are all wrong, and how often they then say the same."""
        labelled = [x for x in self.answers if x.greedy is not None and self._labels(x, runs).count(None) == 0]
        wrong = self._wrong(runs)
        unlabelled = "no question has a greedy answer that is labelled correct or incorrect in every run"
        return (
            rate(len(wrong), len(labelled), unlabelled),
            rate(
                len(self.shared(runs)),
                len(wrong),
                "no question is answered wrongly in every run" if labelled else unlabelled,
            ),
        )

    def shared(self, runs: Sequence[int]) -> list[str]:
        """Return the questions on which some runs are all wrong and say the same."""
        at = np.ix_(list(runs), list(runs))
        return [x.question_id for x in self._wrong(runs) if x.greedy is not None and self._is_one(x.greedy[at])]

    def _wrong(self, runs: Sequence[int]) -> list[_Answers]:
        return [x for x in self.answers if x.greedy is not None and set(self._labels(x, runs)) == {False}]

    def _labels(self, answers: _Answers, runs: Sequence[int]) -> list[bool | None]:
        return [self.correct[at].get(answers.question_id) for at in runs]

    def _is_one(self, similarity: NDArray[np.float64]) -> bool:
        return len(set(_linked(similarity, self.method))) == 1


def _shared(paired: PairedRuns, question_ids: Sequence[str]) -> tuple[SharedAnswer, ...]:
    """Return some questions with an answer of the baseline, its greedy one where it has one."""
    sets = [paired.runs[paired.baseline].sets[x] for x in question_ids]
    return tuple(
        SharedAnswer(x.question.id, x.question.asked, (*_valid(x.greedy), x.samples[0])[0].answer) for x in sets
    )
