"""Whole questions that a person judged: whether all answers of the run to one have one meaning.

It reads files of labels, keeps the one that a screen writes, and stores labels in the run. Which questions are judged
is known elsewhere, and what follows from the labels is statistics.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, cast

from homogaudit.errors import UsageError
from homogaudit.report.cluster_sample import SampledQuestion, to_lines
from homogaudit.report.homogenization import primary_name, run_methods
from homogaudit.statistics.corrected_rate import FEWEST_LABELLED
from homogaudit.store import RunFile, RunLock
from homogaudit.store.facts import ClusterLabels
from homogaudit.store.output_file import write_text

_WORDS = {
    **dict.fromkeys(("true", "yes", "y", "one", "1"), True),
    **dict.fromkeys(("false", "no", "n", "several", "0"), False),
}
"""What a table may say of a question, in any case."""

_COLUMNS = ("one_meaning", "label")


def read_cluster_labels(path: Path, run: RunFile) -> Mapping[str, bool]:
    """Read labels by question id: JSON Lines with `id` and `one_meaning`, or a CSV file with `id` and `label`.

    Other keys and columns are left alone.

    Raises:
        UsageError: It cannot be read, a line is wrong, an id is unknown or stands twice, or there are too few.
    """
    text = _text(path)
    known, labels = {x.id for x in run.questions()}, dict[str, bool]()
    for place, row in _table(path, text) if path.suffix.lower() == ".csv" else _rows(path, text):
        question_id, one_meaning = row.get("id"), row.get("one_meaning")
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


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read `{path}`: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"`{path}` is not UTF-8 text") from error


def _rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield where each line of JSON stands, and what it says."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"`{path}`, line {number}"
        try:
            row: Any = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{place} is not JSON", "it needs `id` and `one_meaning`") from error
        yield place, cast(dict[str, Any], row) if isinstance(row, dict) else {}


def _table(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield where each row of a table stands, and what it says; its first line names the columns."""
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
    try:
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        column = next((name for name in _COLUMNS if name in names), None)
        if "id" not in names or column is None:
            raise UsageError(f"`{path}` has no columns `id` and `label`", "its first line names the columns")
        reader.fieldnames = names
        for row in reader:
            place, said = f"`{path}`, line {reader.line_num}", (row[column] or "").strip()
            if said.lower() not in _WORDS:
                raise UsageError(f"{place}: `{said}` is no label", "true or false, yes or no, one or several")
            yield place, {"id": row["id"], "one_meaning": _WORDS[said.lower()]}
    except csv.Error as error:
        raise UsageError(f"`{path}`, line {reader.line_num + 1} is not CSV: {error}") from error


def labels_begun(run: Path, sample: Sequence[SampledQuestion]) -> tuple[Path, dict[str, bool]]:
    """Return the file beside a run that keeps the labels of a sample, and those that it holds already.

    A file of other questions or other answers is left alone: the name counts on.
    """
    known = {x.id: x for x in sample}
    for number in count(1):
        path = run.with_name(f"{run.stem}.labels{'' if number == 1 else f'-{number}'}.jsonl")
        if not path.exists():
            return path, {}
        try:
            rows = [row for _, row in _rows(path, _text(path))]
        except UsageError:
            continue
        said = {str(row.get("id")): row.get("one_meaning") for row in rows}
        if all(row.get("id") in known and row == known[row["id"]].row(row.get("one_meaning")) for row in rows):
            return path, {question_id: label for question_id, label in said.items() if isinstance(label, bool)}
    raise AssertionError


def keep_labels(path: Path, sample: Sequence[SampledQuestion], labels: Mapping[str, bool]) -> None:
    """Write the questions that are judged as `read_cluster_labels` takes them.

    Raises:
        StorageError: It cannot be written.
    """
    write_text(path, to_lines(sample, labels))


def store_cluster_labels(path: Path, labels: Mapping[str, bool]) -> None:
    """Store labels in a run, in the place of earlier ones, with the clustering that decides now.

    Raises:
        HomogauditError: The run cannot be written.
    """
    with RunLock(path), RunFile.open(path, writable=True) as run, run.transaction():
        methods = run_methods(run)
        primary = primary_name(methods)
        run.cluster_labels = ClusterLabels("" if primary is None else methods[primary].key, labels)
