"""A question a record, its answers under one of the usual names: the project's own format and its many relatives."""

import ast
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

from homogaudit.questions.layouts import ALIASES, normalised
from homogaudit.recordings.draws import draw_of, label_of
from homogaudit.recordings.grouping import chosen_model
from homogaudit.recordings.names import (
    ANSWER_LISTS,
    ANSWER_TEXTS,
    DRAW_NUMBERS,
    MODELS,
    by_normal_name,
    ends_like_answers,
    numbered_families,
)
from homogaudit.recordings.question_fields import QuestionFields
from homogaudit.recordings.source import ImportOptions, Notes, Source, header_line, items_of, number_of
from homogaudit.records import LabelValue
from homogaudit.store.recorded import Line
from homogaudit.store.recorded_lines import LineError, shown

_LABELS = ("label", "is_correct", "correctness", "correct", "is_right", "accuracy", "exact_match", "score", "em")
"""Of the verdict on an answer, the surest first; only values that spell one are taken."""

_GRADED = frozenset({"correctness", "accuracy", "score"})
"""Those that may be a grade instead: they count where every value at hand spells a verdict."""

_WRONGNESS = ("hallucination", "is_hallucination", "hallucinated", "is_incorrect", "incorrect")
"""Of a verdict that says the contrary."""

_SIGNAL_PREFIXES = ("signals.", "signal.", "signals_", "signal_")


@dataclass(frozen=True, slots=True)
class AnswerNames:
    """Which columns of a record hold its answers.

    Attributes:
        samples: One column with a list, or several with one answer each; empty where there is none.
        greedy: The column of a single answer, `None` where there is none.
    """

    samples: tuple[str, ...]
    greedy: str | None
    unused: tuple[str, ...] = ()


def answer_names(values: Mapping[str, Any], options: ImportOptions) -> AnswerNames:
    """Return the columns of a record that hold answers.

    Raises:
        LineError: The column that the user named is not there.
    """
    names = by_normal_name(values)
    texts = [name for name in ANSWER_TEXTS if name in names and not _is_reference(name, names)]
    # A list of several answers is the samples under the name of one answer too.
    lists = [
        names[x]
        for x in (*ANSWER_LISTS, *texts)
        if x in names and len(list_in_cell(values[names[x]]) or ()) > (x in texts)
    ]
    greedy = next((names[x] for x in texts if names[x] not in lists and _is_one_answer(values[names[x]])), None)
    lists = list(dict.fromkeys(lists))
    if options.answer is not None:
        named = names.get(normalised(options.answer))
        if named is None:
            wanted = normalised(options.answer)
            if family := numbered_families(values, lambda stem: stem == wanted)[:1]:
                return AnswerNames(tuple(column.name for column in family[0]), None)
            raise LineError(
                f"no column {shown(options.answer)}", f"its columns: {', '.join(map(shown, list(values)[:12]))}"
            )
        if not _is_list(values[named]):
            return AnswerNames(tuple(lists[:1]), named)
        return AnswerNames((named,), greedy, tuple(name for name in lists if name != named))
    if lists:
        return AnswerNames((lists[0],), greedy, tuple(lists[1:]))
    families = numbered_families(values)
    if not families and len(families := numbered_families(values, ends_like_answers)) > 1:
        listed = ", ".join(shown(columns[0].stem) for columns in families[:8])
        raise LineError(
            f"{len(families)} groups of columns hold numbered answers, perhaps of several models or settings: {listed}",
            f"choose one: `--answer-column {families[0][0].stem}`",
        )
    if not families and greedy is None and not _POINTERS & names.keys():
        # Where nothing points at the right one of them, they are no choices.
        families = [x for x in numbered_families(values, lambda stem: stem == "answer") if len(x) > 1]
    numbered = [column.name for column in families[0]] if families else []
    unused = [columns[0].name for columns in families[1:]]
    unused += [
        names[name]
        for name in texts
        if greedy is not None and names[name] != greedy and name not in _OTHER_USES and values[names[name]]
        if isinstance(values[names[name]], str)
    ]
    if len(numbered) == 1 and greedy is None:
        return AnswerNames((), numbered[0], tuple(unused))
    return AnswerNames(tuple(numbered), greedy, tuple(unused))


_OTHER_USES = frozenset({*DRAW_NUMBERS, *ALIASES["answers"], "greedy"})
"""Names of an answer that may hold a number, a mode or a reference instead."""


_POINTERS = frozenset(
    {"correct", "label", "correct_answer", "answer", "answer_index", "answer_idx", "answer_key", "key"}
)


def _is_reference(name: str, names: Mapping[str, str]) -> bool:
    """Whether a column is the reference in instruction files, where `output` is what should be said."""
    return (
        name in ("output", "response", "completion")
        and "instruction" in names
        and any(other in names for other in ANSWER_LISTS)
    )


def read_answers(source: Source) -> Iterator[Line]:
    """Yield the records of a file in the recorded format."""
    reader = AnswerReader(source)
    for line in _of_one_model(source):
        yield Line(line.place, lambda line=line: reader.read(line.read()))


def _of_one_model(source: Source) -> Iterator[Line]:
    """Yield the lines of a file, those of one model where they name several."""
    if not any(_model(record) for record in source.records):
        yield from source.lines
        return
    read = [(line, _model_at(line)) for line in source.lines]
    chosen = chosen_model([model for _, model in read if model is not None], source.options)
    if chosen is not None and "format" not in source.records[0]:
        yield header_line(model=chosen)
    for line, model in read:
        if model in (None, chosen):
            yield line
        else:
            source.notes.leave_out_model(chosen)


def _model(record: Mapping[str, Any]) -> str | None:
    if "format" in record:
        return None
    names = by_normal_name(record)
    found = next((record[names[name]] for name in MODELS if name in names), None)
    return found if isinstance(found, str) and found.strip() else None


def _model_at(line: Line) -> str | None:
    try:
        return _model(line.read())
    except LineError:
        return None


_DOUBTFUL = frozenset({*ANSWER_TEXTS} & {*ALIASES["answers"]})
"""Names under which some files keep what a model said and others what it should have said."""


def drop_doubtful(values: dict[str, Any], options: ImportOptions, notes: Notes, samples: Collection[str] = ()) -> None:
    """Take out of a record what may be its reference or a further answer, where its answer was found elsewhere.

    `samples` are columns that are read as samples.
    """
    names = by_normal_name(values)
    if "instruction" in names:
        return
    for name in _DOUBTFUL & names.keys() - {normalised(options.references or "")}:
        column = names[name]
        if column in samples:
            continue
        del values[column]
        notes.say(
            f"{shown(column)} may hold another answer or the reference and is not used (`--answers-column {column}` "
            "takes it as the reference)"
        )


def say_unused(values: Mapping[str, Any], names: AnswerNames, notes: Notes) -> None:
    """Say which columns of answers are left, those among them whose names end so, such as `gpt4_response`."""
    taken = {*names.samples, names.greedy, *names.unused}
    others = [
        name
        for name, value in values.items()
        if name not in taken
        and value
        and (isinstance(value, list) or (isinstance(value, str) and not _says_a_fact(value)))
        and normalised(name) not in _NO_OTHERS
        and ends_like_answers(normalised(name))
    ]
    for name in (*names.unused, *others):
        notes.say(f"{shown(name)} looks like answers and is not used (`--answer-column NAME` chooses)")


def _says_a_fact(text: str) -> bool:
    """Whether a cell holds a number or a truth value rather than an answer, as `n_samples` and `is_greedy` do."""
    return number_of(text) is not None or text.strip().casefold() in ("true", "false")


_NO_OTHERS = frozenset({*DRAW_NUMBERS, *chain(*ALIASES.values()), *ANSWER_LISTS, *ANSWER_TEXTS, "filtered_resps"})


class AnswerReader:
    """Reads the records of one file."""

    def __init__(self, source: Source) -> None:
        self._options, self._notes = source.options, source.notes
        self._questions = QuestionFields(source, [_without_answers(x, source.options) for x in source.records])
        self._labels = LabelReader(source)
        self._tabular = source.kind == "table"

    def read(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a record in the recorded format; a header is one already.

        Raises:
            LineError: It has no question, or an answer without a text.
        """
        if "format" in record and "question" not in record:
            return record
        values = dict(record)
        names = answer_names(values, self._options)
        result: dict[str, Any] = {}
        say_unused(values, names, self._notes)
        if names.greedy is not None:
            result["greedy"] = self._draw(values.pop(names.greedy), names.greedy)
            self._said(names.greedy, "greedy", "the greedy answer")
            drop_doubtful(values, self._options, self._notes, names.samples)
        if len(names.samples) == 1 and _is_list(values[names.samples[0]]):
            (name,) = names.samples
            items = list_in_cell(values.pop(name))
            result["samples"] = [self._draw(item, f"{name}[{index}]") for index, item in enumerate(items or ())]
            self._said(name, "samples", "the samples")
        elif names.samples:
            result["samples"] = [self._draw(values.pop(name), name) for name in names.samples]
        if (label := self._labels.take(values)) is not None:
            result["label"] = label
        if signals := _take_signals(values):
            result["signals"] = signals
        return {**self._questions.read(values), **result}

    def _draw(self, value: Any, name: str) -> dict[str, Any]:
        try:
            return draw_of(value, self._notes, in_cell=self._tabular)
        except LineError as error:
            raise LineError(f"{shown(name)}: {error.reason}", error.hint) from None

    def _said(self, name: str, own: str, what: str) -> None:
        """Say what a column of another name than the format's was taken for."""
        if normalised(name) != own:
            self._notes.say(f"{shown(name)} is taken as {what}")


class LabelReader:
    """Takes the labels out of the records of one file, in any spelling.

    The first records show which columns hold verdicts rather than grades.
    """

    def __init__(self, source: Source) -> None:
        self._notes = source.notes
        columns = [by_normal_name(record) for record in source.records]
        self._names = [
            name
            for name in (*_LABELS, *_WRONGNESS)
            if name not in _GRADED
            or all(
                record[names[name]] in (None, "") or label_of(record[names[name]]) is not None
                for record, names in zip(source.records, columns, strict=True)
                if name in names
            )
        ]
        for name in _GRADED - set(self._names):
            column = next(names[name] for names in columns if name in names)
            source.notes.say(f"{shown(column)} holds values that are not labels and is not used")

    def take(self, values: dict[str, Any]) -> str | None:
        """Take the label out of a record, `None` where there is none; leave what spells none."""
        columns = by_normal_name(values)
        for name in self._names:
            if name not in columns:
                continue
            column = columns[name]
            given = values[column]
            label = label_of(given)
            if given is None or (isinstance(given, str) and not given.strip()):
                del values[column]
                continue
            if name == "label" and isinstance(given, str) and label is None:
                # The format's own key: a value that it does not know is an error of the line.
                return values.pop(column)
            if label is None:
                self._notes.say(f"{shown(column)} is not used: {shown(given)} is not a label")
                continue
            del values[column]
            if name in _WRONGNESS:
                label = _CONTRARY.get(label, label)
            if given != label:
                self._notes.say(f"{shown(column)} is read as the label: {shown(given)} is {label}")
            return label.value
        return None


def _without_answers(record: Mapping[str, Any], options: ImportOptions) -> dict[str, Any]:
    try:
        names = answer_names(record, options)
    except LineError:
        return {}
    taken = {*names.samples, names.greedy, "format", "greedy", "samples"}
    return {name: value for name, value in record.items() if name not in taken}


_CONTRARY = {LabelValue.CORRECT: LabelValue.INCORRECT, LabelValue.INCORRECT: LabelValue.CORRECT}


def _take_signals(values: dict[str, Any]) -> Any:
    """Take the recorded signals out of a record: an object, or columns that begin with `signal`."""
    given = values.pop("signals", None)
    if given is not None:
        return given
    signals: dict[str, Any] = {}
    for name in list(values):
        prefix = next((x for x in _SIGNAL_PREFIXES if normalised(name).startswith(x)), None)
        if prefix is not None and len(name) > len(prefix) and (number := number_of(values[name])) is not None:
            signals[name[len(prefix) :]] = number
            del values[name]
    return signals


def list_in_cell(value: object) -> list[Any] | None:
    """Return a list, also one that is written into a cell as JSON or as Python shows it; `None` for anything else."""
    if isinstance(value, list):
        return cast("list[Any]", value)
    if isinstance(value, tuple):
        return list(cast("tuple[Any, ...]", value))
    if not isinstance(value, str):
        return None
    text = value.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return cast("list[Any]", found) if isinstance(found, list) else None
    return None


def _is_list(value: object) -> bool:
    return list_in_cell(value) is not None


def _is_one_answer(value: object) -> bool:
    """Whether a value is one answer: a text, an object with a text, or a list of one of them."""
    if isinstance(value, list):
        return len(items_of(value)) == 1 and _is_one_answer(items_of(value)[0])
    return isinstance(value, str | dict)
