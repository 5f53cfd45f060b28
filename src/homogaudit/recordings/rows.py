"""A row an answer: the same question on several rows, one answer on each."""

from collections.abc import Iterator, Mapping
from typing import Any

from homogaudit.questions.layouts import normalised
from homogaudit.recordings.answers import LabelReader, answer_names, drop_doubtful, say_unused
from homogaudit.recordings.draws import draw_of, label_of
from homogaudit.recordings.grouping import Drawn, grouped, question_key
from homogaudit.recordings.names import ANSWER_TEXTS, DRAW_NUMBERS, MODELS, by_normal_name
from homogaudit.recordings.question_fields import QuestionFields
from homogaudit.recordings.source import ImportOptions, Notes, Source, number_of, open_source
from homogaudit.records import LabelValue, collapse
from homogaudit.store.recorded import Line
from homogaudit.store.recorded_lines import LineError, shown

_GREEDY_NAMES = frozenset(
    name for name in ANSWER_TEXTS if "greedy" in name or name.startswith(("most_", "low_", "main_"))
)
"""They name one answer of a question, beside which samples may stand."""

_REFERENCE = "answer"
"""Holds references in a file of questions, and the model's answer in one that has nothing else to hold it."""

_MODES = ("is_greedy", "greedy", "mode", "kind", "type", "decoding", "strategy")


def holds_an_answer_a_row(source: Source) -> bool:
    """Whether each record of a file holds one answer, and others to its question may follow."""
    options = source.options
    if options.sample is not None:
        return True
    try:
        found = [answer_names(record, options) for record in source.records if "format" not in record]
    except LineError:
        return False
    if not found or any(names.samples for names in found):
        return False
    if options.answer is None and (not any(x.greedy for x in found)):
        return _answers_repeat(source)
    named = {normalised(names.greedy) for names in found if names.greedy is not None}
    texts = all(
        not isinstance(record.get(x.greedy or ""), dict) for record, x in zip(source.records, found, strict=False)
    )
    return texts and not named & _GREEDY_NAMES


def read_rows(source: Source) -> Iterator[Line]:
    """Yield a header where the model is named, then a line a question."""
    return grouped(_drawn(source), source)


def _drawn(source: Source) -> Iterator[Drawn]:
    options, notes = source.options, source.notes
    fields, labels = QuestionFields(source), LabelReader(source)
    temperatures: set[float] = set()
    for line in source.lines:
        with source.at(line.place):
            values = dict(line.read())
            names = by_normal_name(values)
            chosen = answer_names(values, options)
            say_unused(values, chosen, notes)
            answer = chosen.greedy or (names.get(_REFERENCE) if options.answer is None else None)
            if answer is None:
                notes.count("row holds no answer and is left out", "rows hold no answer and are left out")
                continue
            draw = draw_of(values.pop(answer), notes, in_cell=source.kind == "table")
            if normalised(answer) != "response":
                notes.say(f"{shown(answer)} is taken as the model's answer, one per row")
            drop_doubtful(values, options, notes)
            number = _take_number(values, options, notes)
            temperature = values.get(names.get("temperature", ""))
            if (degree := number_of(temperature)) is not None and degree > 0:
                temperatures.add(degree)
            is_greedy = _is_greedy(values, number, temperature)
            spelled = labels.take(values)
            label = label_of(spelled)
            if spelled is not None and label is None:
                hint = f"one of {', '.join(f'`{value}`' for value in LabelValue)}"
                raise LineError(f"`label` is {shown(spelled)}, which is not a label", hint)
            model = next((values[names[name]] for name in MODELS if name in names), None)
            for key in ("finish_reason", "stop_reason"):
                if key in names:
                    draw = draw_of({**draw, "finish_reason": values.pop(names[key])}, notes)
            question = fields.read(values)
            yield Drawn(
                line.place,
                question_key(question),
                question,
                [draw],
                is_greedy,
                label,
                number if isinstance(number, float) else 0.0,
                str(model) if model is not None else None,
            )

    if len(temperatures) > 1:
        listed = ", ".join(f"{degree:g}" for degree in sorted(temperatures)[:8])
        notes.say(f"the samples were drawn at several temperatures ({listed}) and are taken together")


def _take_number(values: dict[str, Any], options: ImportOptions, notes: Notes) -> float | str | None:
    """Take the number of an answer, or its name, out of a row; `None` where there is none."""
    names = by_normal_name(values)
    wanted = DRAW_NUMBERS if options.sample is None else (normalised(options.sample),)
    name = next((names[x] for x in wanted if x in names), None)
    if name is None:
        if options.sample is not None:
            raise LineError(
                f"no column {shown(options.sample)}", f"its columns: {', '.join(map(shown, list(values)[:12]))}"
            )
        return None
    value = values.pop(name)
    notes.say(f"{shown(name)} tells the answers to one question apart")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return str(value)


def _is_greedy(values: Mapping[str, Any], number: float | str | None, temperature: object) -> bool | None:
    """Whether a row holds the greedy answer; `None` where nothing says how it was drawn."""
    if (isinstance(number, str) and number.strip().casefold() == "greedy") or number == -1:
        return True
    names = by_normal_name(values)
    for name in _MODES:
        value = str(values.get(names.get(name, ""), "")).strip().casefold()
        if value in ("greedy", "true", "1") and (value == "greedy" or name in _MODES[:2]):
            return True
        if value in ("sample", "sampled", "sampling"):
            return False
    degree = number_of(temperature)
    if degree is None:
        return None if number is None else False
    return degree == 0


def _answers_repeat(source: Source) -> bool:
    """Whether `answer` holds what a model said: the same question stands on several rows with other answers."""
    if not any(_REFERENCE in by_normal_name(record) for record in source.records):
        return False
    if any({"label", "signals"} & record.keys() for record in source.records):
        return False
    first: dict[str, str] = {}
    for line in open_source(source.path, source.options).lines:
        try:
            values = line.read()
        except LineError:
            continue
        names = by_normal_name(values)
        question = next((values[names[x]] for x in ("question", "prompt", "query", "input") if x in names), None)
        answer = str(values.get(names.get(_REFERENCE, "")))
        if isinstance(question, str) and first.setdefault(collapse(question), answer) != answer:
            return True
    return False
