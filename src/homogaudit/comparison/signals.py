"""The stored signals of a compared run, and which of them mean the same in two runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from homogaudit.comparison.pairing import PairedRun
from homogaudit.records import ClusteringMethod, LabelValue
from homogaudit.report.homogenization import run_methods
from homogaudit.report.token_entropies import token_entropies
from homogaudit.report.validity import too_few_labels
from homogaudit.signals.registry import SIGNALS

_EMBEDDED = frozenset({"answer_embeddings", "question_embedding", "meaning"})
_ASKED = frozenset({"call_p_true", "call_verbalized"})
_TOKENS = ("token_entropy_", "high_entropy_ratio")
_OF_CLUSTERS = "semantic_entropy_"


@dataclass(frozen=True, eq=False)
class SignalTable:
    """The signals and the labels of one run over the compared questions.

    Attributes:
        names: Of the signals.
        matrix: Shape (signals, questions), higher is more uncertain, NaN where undefined.
        question_ids: Of the columns.
        labels: Of the greedy answers by the judge of the comparison, by question id.
        reasons: Why a signal has no value at all, by name.
        label_reason: Why the labels carry no AUROC, `None` where they do.
    """

    names: tuple[str, ...]
    matrix: NDArray[np.float64]
    question_ids: tuple[str, ...]
    labels: Mapping[str, LabelValue]
    reasons: Mapping[str, str]
    label_reason: str | None

    @cached_property
    def correct(self) -> dict[str, bool]:
        """Whether each answer that is labelled correct or incorrect is correct, by question id."""
        decided = (LabelValue.CORRECT, LabelValue.INCORRECT)
        return {x: own is LabelValue.CORRECT for x, own in self.labels.items() if own in decided}

    def row(self, name: str) -> NDArray[np.float64]:
        """Return a signal's values, NaN where there is none."""
        return self.matrix[self.names.index(name)]

    def values(self, name: str) -> dict[str, float]:
        """Return a signal's values by question id, without the undefined ones."""
        if name not in self.names:
            return {}
        pairs = zip(self.question_ids, self.row(name).tolist(), strict=True)
        return {x: value for x, value in pairs if not np.isnan(value)}

    def reason(self, name: str) -> str:
        """Return why a signal has no value on any question."""
        return self.reasons.get(name, f"{name} is not stored")

    def unscored(self, name: str) -> str | None:
        """Return why a signal has no AUROC here, `None` where it may have one."""
        if name not in self.names or np.isnan(self.row(name)).all():
            return self.reason(name)
        return self.label_reason

    @cached_property
    def incorrect(self) -> NDArray[np.bool_]:
        """Shape (questions,), whether each answer is labelled incorrect."""
        return np.array([self.correct.get(x) is False for x in self.question_ids], dtype=np.bool_)

    def labelled(self, name: str) -> NDArray[np.float64]:
        """Return a signal's values, NaN where an answer is labelled neither correct nor incorrect."""
        decided = np.array([x in self.correct for x in self.question_ids], dtype=np.bool_)
        return np.where(decided, self.row(name), np.nan)


def signal_table(run: PairedRun, judge: str | None) -> SignalTable:
    """Return the stored signals of a run over the compared questions, with the labels of a judge."""
    data = run.data
    columns = {x: column for column, x in enumerate(data.finished_ids)}
    matrix = data.signal_matrix[:, [columns[x] for x in run.question_ids]]
    stored = {} if judge is None else data.labels[judge]
    labels = {x: stored[x].value for x in run.question_ids if x in stored}
    correct, incorrect = (list(labels.values()).count(x) for x in (LabelValue.CORRECT, LabelValue.INCORRECT))
    reasons: dict[str, str] = {}
    for name in data.signal_names:
        found = (data.signals[name].get(x) for x in run.question_ids)
        reasons[name] = next(
            (x.reason for x in found if x is not None and x.value is None and x.reason), "not computed"
        )
    return SignalTable(
        names=data.signal_names,
        matrix=matrix,
        question_ids=run.question_ids,
        labels=labels,
        reasons=reasons,
        label_reason="no judge" if judge is None else too_few_labels(judge, correct, incorrect),
    )


def incomparable_signals(baseline: PairedRun, run: PairedRun) -> dict[str, str]:
    """Return the signals that do not mean the same in two runs, each with the reason.

    A signal of samples depends on how many there are, one of embeddings on the embedder, one of clusters on the
    clustering, one of token entropies on whether they are exact, one of asking on where the model is asked.
    """
    pair = (baseline.data, run.data)
    scorings = [data.scoring for data in pair]
    embedders, nlis = (
        [None if x is None or (source := getattr(x, name)) is None else source.key for x in scorings]
        for name in ("embedder_source", "nli_source")
    )
    methods = [run_methods(data.run) for data in pair]
    sources = [token_entropies(data).entropy_source for data in pair]
    asked = [data.run.asked_in for data in pair]
    found: dict[str, str] = {}
    for name in dict.fromkeys(x for data in pair for x in data.signal_names):
        signal = SIGNALS.get(name)
        resources = signal.resources if signal is not None else frozenset[str]()
        if "samples" in resources and any(data.sample_count != baseline.samples for data in pair):
            counts = " and ".join(str(data.sample_count) for data in pair)
            found[name] = f"computed from {counts} samples a question"
        elif resources & _EMBEDDED and embedders[0] != embedders[1]:
            found[name] = "computed with another embedder"
        elif "pair_scores" in resources and nlis[0] != nlis[1]:
            found[name] = "computed with another NLI model"
        elif resources & _ASKED and None not in asked and asked[0] != asked[1]:
            found[name] = f"asked in {asked[0]} in one run and in {asked[1]} in the other"
        elif name.startswith(_OF_CLUSTERS) and _clustering(methods[0], name) != _clustering(methods[1], name):
            found[name] = "computed from another clustering"
        elif name.startswith(_TOKENS) and sources[0] != sources[1]:
            found[name] = f"token entropies are {sources[0]} in one run and {sources[1]} in the other"
    return found


def _clustering(methods: Mapping[str, ClusteringMethod], signal: str) -> ClusteringMethod | None:
    return methods.get(signal.removeprefix(_OF_CLUSTERS).removesuffix("_rao"))
