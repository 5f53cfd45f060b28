"""Whole questions that a person judges: whether all answers of the run to one have one meaning.

It draws the sample to be judged, reads what was judged, and stores it in the run; what follows is statistics.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from homogaudit.errors import UsageError
from homogaudit.report.homogenization import method_outcomes, primary_name, run_methods
from homogaudit.report.run_data import read_run
from homogaudit.statistics.corrected_rate import FEWEST_LABELLED
from homogaudit.store import RunFile, RunLock
from homogaudit.store.facts import ClusterLabels


def sample_clusters(run: RunFile, size: int, seed: int) -> str:
    """Return questions to be judged as JSON Lines: `id`, `question`, `answers`, and `one_meaning` that is null.

    Up to half of them are of those with one cluster, the rest of those with several; the order tells nothing of it.

    Raises:
        UsageError: The run has too few questions of either kind to sample.
    """
    if size < FEWEST_LABELLED:
        raise UsageError(f"a sample of `{size}` questions", f"a corrected rate needs {FEWEST_LABELLED}")
    data, methods = read_run(run), run_methods(run)
    primary = primary_name(methods)
    single = {} if primary is None else method_outcomes(data, methods[primary]).known_single()
    strata = [[x for x, is_single in single.items() if is_single is kind] for kind in (True, False)]
    ones = min(len(strata[0]), max(size // 2, size - len(strata[1])))
    if ones + len(strata[1]) < size:
        raise UsageError(f"`{run.path}` has `{len(single)}` clustered questions", f"a sample needs {size}")
    rng = np.random.default_rng(seed)
    chosen = [strata[0][place] for place in rng.permutation(len(strata[0]))[:ones]]
    chosen += [strata[1][place] for place in rng.permutation(len(strata[1]))[: size - ones]]
    sets = {x.question.id: x for x in data.finished}
    rows = [
        {
            "id": question_id,
            "question": sets[question_id].question.text,
            "answers": [sample.answer for sample in sets[question_id].valid_samples],
            "one_meaning": None,
        }
        for question_id in (chosen[place] for place in rng.permutation(size))
    ]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_cluster_labels(path: Path, run: RunFile) -> Mapping[str, bool]:
    """Read JSON Lines with `id` and `one_meaning`, by question id; other keys are left alone.

    Raises:
        UsageError: It cannot be read, a line is wrong, an id is unknown or stands twice, or there are too few.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(f"cannot read `{path}`: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"`{path}` is not UTF-8 text") from error
    known, labels = {x.id for x in run.questions()}, dict[str, bool]()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"`{path}`, line {number}"
        try:
            row: Any = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{place} is not JSON", "it needs `id` and `one_meaning`") from error
        fields = cast(dict[str, Any], row) if isinstance(row, dict) else {}
        question_id, one_meaning = fields.get("id"), fields.get("one_meaning")
        if not isinstance(question_id, str) or not isinstance(one_meaning, bool):
            raise UsageError(f"{place}: `id` must be a text, and `one_meaning` true or false")
        if question_id not in known:
            raise UsageError(f"{place}: `{run.path}` has no question `{question_id}`")
        if question_id in labels:
            raise UsageError(f"{place}: question `{question_id}` is there twice", "keep one of them")
        labels[question_id] = one_meaning
    if len(labels) < FEWEST_LABELLED:
        raise UsageError(f"`{path}` labels `{len(labels)}` questions", f"a corrected rate needs {FEWEST_LABELLED}")
    return labels


def store_cluster_labels(path: Path, labels: Mapping[str, bool]) -> None:
    """Store labels in a run, in the place of earlier ones, with the clustering that decides now.

    Raises:
        HomogauditError: The run cannot be written.
    """
    with RunLock(path), RunFile.open(path, writable=True) as run, run.transaction():
        methods = run_methods(run)
        primary = primary_name(methods)
        run.cluster_labels = ClusterLabels("" if primary is None else methods[primary].key, labels)
