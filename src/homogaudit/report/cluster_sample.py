"""The questions of a run that a person judges as a whole: a seeded sample, half of it with one cluster.

Commands, screen and page ask about the same ones. What the labels say of the rate is statistics.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from homogaudit.errors import UsageError
from homogaudit.report.build import SEED
from homogaudit.report.homogenization import method_outcomes, primary_name, run_methods
from homogaudit.report.run_data import RunData
from homogaudit.statistics.corrected_rate import FEWEST_LABELLED

SAMPLE_SIZE = 60
"""Ten more than a corrected rate needs."""


@dataclass(frozen=True, slots=True)
class SampledQuestion:
    """A question to be judged: whether all its answers have one meaning.

    Attributes:
        question: As the model was asked, with its context and choices.
        answers: Of its valid samples.
    """

    id: str
    question: str
    answers: tuple[str, ...]

    def row(self, one_meaning: bool | None = None) -> dict[str, Any]:
        """Return its line of a file of labels as JSON values; `None` where it is still to be judged."""
        return {"id": self.id, "question": self.question, "answers": [*self.answers], "one_meaning": one_meaning}


def sample_clusters(data: RunData, size: int | None = None, seed: int = SEED) -> tuple[SampledQuestion, ...]:
    """Return questions to be judged.

    Up to half of them are of those with one cluster, the rest of those with several; the order tells nothing of it.

    Args:
        data: Of the run.
        size: How many, at least 50; `None` for 60, or all where there are fewer.
        seed: Of the sample and its order.

    Raises:
        UsageError: The size is too small, or the run has too few questions.
    """
    methods = run_methods(data.run)
    primary = primary_name(methods)
    single = {} if primary is None else method_outcomes(data, methods[primary]).known_single()
    if size is None:
        size = max(FEWEST_LABELLED, min(SAMPLE_SIZE, len(single)))
    if size < FEWEST_LABELLED:
        raise UsageError(f"a sample of `{size}` questions", f"a corrected rate needs {FEWEST_LABELLED}")
    strata = [[x for x, is_single in single.items() if is_single is kind] for kind in (True, False)]
    ones = min(len(strata[0]), max(size // 2, size - len(strata[1])))
    if ones + len(strata[1]) < size:
        raise UsageError(f"`{data.run.path}` has `{len(single)}` clustered questions", f"a sample needs {size}")
    rng = np.random.default_rng(seed)
    chosen = [strata[0][place] for place in rng.permutation(len(strata[0]))[:ones]]
    chosen += [strata[1][place] for place in rng.permutation(len(strata[1]))[: size - ones]]
    sets = {x.question.id: x for x in data.finished}
    found = (sets[chosen[place]] for place in rng.permutation(size))
    return tuple(
        SampledQuestion(x.question.id, x.question.asked, tuple(sample.answer for sample in x.valid_samples))
        for x in found
    )


def to_lines(sample: Iterable[SampledQuestion], labels: Mapping[str, bool] | None = None) -> str:
    """Return a sample as JSON Lines, or only those of it that have a label where labels are given."""
    rows = [x.row() if labels is None else x.row(labels[x.id]) for x in sample if labels is None or x.id in labels]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
