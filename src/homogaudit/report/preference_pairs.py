"""Pairs of answers to train on that keep diversity: of each question the most dissimilar right and wrong samples.

A pair is made only of samples that the judge has labelled, one correct and one incorrect. Nothing is drawn, asked or
labelled here.
"""

import json
import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UsageError
from homogaudit.records import ClusteringMethod, Generation, Label, LabelValue, SampleSet
from homogaudit.report.homogenization import primary_name, run_methods
from homogaudit.report.run_data import RunData


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """A line of preference data as TRL reads it.

    Attributes:
        prompt: The question as it was asked, without system line and chat template.
        chosen: A sample labelled correct.
        rejected: One labelled incorrect.
    """

    prompt: str
    chosen: str
    rejected: str

    def line(self) -> str:
        """Return it as a line of JSON Lines."""
        values = {"prompt": self.prompt, "chosen": self.chosen, "rejected": self.rejected}
        return json.dumps(values, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class PreferencePairs:
    """The pairs of a run.

    Attributes:
        pairs: At most one a question, in the order of the question file.
        judge: Whose labels tell the answers apart.
        clustering: By whose similarity they are the most dissimilar.
        left_out: How many questions give no pair, by reason.
    """

    pairs: tuple[PreferencePair, ...]
    judge: str
    clustering: str
    left_out: Mapping[str, int]


def preference_pairs(data: RunData, judge: str | None) -> PreferencePairs:
    """Return the most dissimilar correct and incorrect samples of each question, as far as it has both.

    A sample that was cut at the limit is not taken: a model would learn to end there.

    Args:
        data: Of the run.
        judge: Whose labels to go by, `None` where the run goes by none.

    Raises:
        UsageError: The run has no labels of samples, or no similarities of answers.

    Source:
        Zhang et al. (2024), "REAL: Response Embedding-based Alignment for LLMs" (arXiv 2409.17169): dissimilar pairs
        are labelled with fewer errors and teach more.
    """
    labels = data.run.sample_labels(judge) if judge is not None else {}
    path, shown = data.run.path, shlex.quote(str(data.run.path))
    if judge is None or not any(labels.values()):
        held = "has no judge" if judge is None else f"holds no labels of samples by judge `{judge}`"
        raise UsageError(
            f"`{path}` {held}, so no sample is known to be right or wrong",
            f"`homogaudit score {shown} --judge overlap` labels samples; a model is asked about greedy answers alone",
        )
    methods = run_methods(data.run)
    name = primary_name(methods)
    matrices = {} if name is None else _similarities(data, methods[name])
    if name is None or not matrices:
        raise UsageError(
            f"`{path}` holds no similarities of answers", f"`homogaudit score {shown}` embeds and clusters them"
        )
    pairs: list[PreferencePair] = []
    left_out: Counter[str] = Counter()
    for sample_set in data.finished:
        found = _pair(sample_set, labels.get(sample_set.question.id, {}), matrices.get(sample_set.question.id))
        if isinstance(found, str):
            left_out[found] += 1
        else:
            pairs.append(found)
    return PreferencePairs(tuple(pairs), judge, name, left_out)


def _similarities(data: RunData, method: ClusteringMethod) -> dict[str, NDArray[np.float64]]:
    """Return the similarities of the valid samples of each question that has at least two."""
    return {
        question_id: matrix
        for found in (data.similarities(method), *data.partial_similarities(method))
        for question_id, matrix in zip(found.question_ids, found.matrices, strict=True)
    }


def _pair(
    sample_set: SampleSet, labels: Mapping[int, Label], similarity: NDArray[np.float64] | None
) -> PreferencePair | str:
    """Return the pair of one question, or why there is none."""
    valid = sample_set.valid_samples
    right, wrong = (
        [place for place, sample in enumerate(valid) if _is_usable(sample, labels, value)]
        for value in (LabelValue.CORRECT, LabelValue.INCORRECT)
    )
    if not right or not wrong:
        missing = [name for name, found in (("correct", right), ("incorrect", wrong)) if not found]
        return f"no whole sample is labelled {' or '.join(missing)}"
    if similarity is None:
        return "the similarities of its samples are not stored"
    among = similarity[np.ix_(right, wrong)]
    row, column = np.unravel_index(np.argmin(among), among.shape)
    return PreferencePair(sample_set.question.asked, valid[right[row]].answer, valid[wrong[column]].answer)


def _is_usable(sample: Generation, labels: Mapping[int, Label], value: LabelValue) -> bool:
    label = labels.get(sample.sample_index)
    return label is not None and label.value is value and not sample.is_truncated
