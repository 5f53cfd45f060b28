"""YAML: from text to records, each with the line where it began. Reads data alone: no tags, no aliases."""

import datetime
import importlib
import re
from collections.abc import Iterator
from typing import Any, cast

from homogaudit.codec import kind_of
from homogaudit.errors import QuestionFileError
from homogaudit.questions.layouts import Columns, has_question_column
from homogaudit.questions.nesting import expand, find_records
from homogaudit.questions.raw_records import RawRecord, RawRecords, check_value
from homogaudit.questions.wording import quoted

_KEY = re.compile(r"[ \t]*(?:-[ \t]+)?[\"']?(\w[\w -]{0,40})[\"']?:(?:[ \t]|$)")
_HEAD = 50
"""Lines from which it is told whether a text is YAML."""


def is_yaml(text: str, columns: Columns) -> bool:
    """Whether a text begins as a YAML list of objects with a question column, or as an object that holds one."""
    lines = (line for line in text[:20_000].split("\n") if line.strip() and not line.lstrip().startswith("#"))
    head = [line for line, _ in zip(lines, range(_HEAD), strict=False)]
    if head and head[0].rstrip() == "---":
        head = head[1:]
    keys = [match[1] for line in head if (match := _KEY.match(line))]
    is_list = any(line.lstrip().startswith("- ") for line in head[:2])
    return bool(head) and _KEY.match(head[0]) is not None and is_list and has_question_column(keys, columns)


def yaml_records(text: str, columns: Columns, file: str) -> RawRecords:
    """Return the records of a YAML list, or of an object that holds one.

    Raises:
        QuestionFileError: Broken YAML, with its line; an alias or a tag; PyYAML is not there.
    """
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError:
        raise QuestionFileError(
            f"{quoted(file)} is YAML, and `pyyaml` is not installed", "pip install pyyaml"
        ) from None
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1
                # A few lines of them stand for more texts than any memory holds.
                raise QuestionFileError(f"{quoted(file)} line {line} holds an alias", "write the value out")
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            found = _records(root, loader, columns, file)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f" line {mark.line + 1}"
        raise QuestionFileError(f"{quoted(file)}{where} is not valid YAML: {error.problem}", "fix the line") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise QuestionFileError(f"{quoted(file)} is not valid YAML: {reason}", "fix it") from None
    expanded: list[RawRecord] = []
    for record in found.records:
        check_value(record.values, f"{quoted(file)} line {record.line}")
        expanded += [RawRecord(record.line, values) for values, _ in expand(record.values, columns)]
    return RawRecords(tuple(expanded), found.notes)


def _records(root: Any, loader: Any, columns: Columns, file: str) -> RawRecords:
    """Return the records under the root node of a document."""
    notes: tuple[str, ...] = ()
    if root is not None and root.id == "mapping":
        value: dict[str, Any] = _plain(loader.construct_document(root))
        found = find_records(value, columns, file)
        if found.key is None:
            return RawRecords(tuple(RawRecord(1, record) for record in found.records), found.notes)
        root = next(node for key, node in root.value if key.value == found.key)
        notes = found.notes
    if root is None or root.id != "sequence":
        raise QuestionFileError(f"{quoted(file)} holds no YAML list", "give a list of objects")
    return RawRecords(tuple(_items(root, loader, file)), notes)


def _items(root: Any, loader: Any, file: str) -> Iterator[RawRecord]:
    for node in root.value:
        line = node.start_mark.line + 1
        value = _plain(loader.construct_document(node))
        if isinstance(value, str):
            value = {"question": value}
        if not isinstance(value, dict):
            message = f"{quoted(file)} line {line} is {kind_of(value)}, not an object"
            raise QuestionFileError(message, "give one object per question")
        yield RawRecord(line, cast("dict[str, Any]", value))


def _plain(value: Any) -> Any:
    """Return a value as JSON could hold it: a date is its text, and every key a text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
