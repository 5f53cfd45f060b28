"""Answers that stand one at a time, put together by their question."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homogaudit.recordings.draws import label_of_draws
from homogaudit.recordings.source import ImportOptions, Notes, Source, header_line
from homogaudit.records import LabelValue, collapse
from homogaudit.store.recorded import Line
from homogaudit.store.recorded_lines import LineError, shown


@dataclass(frozen=True, slots=True)
class Drawn:
    """Some answers to one question, from one place of a file.

    Attributes:
        key: What they have in common with the other answers to their question.
        question: What was asked, in the keys of the recorded format; that of the first place stands.
        draws: In the recorded format.
        is_greedy: Whether they were drawn at temperature 0; `None` where the file does not say.
        order: Sorts the answers to a question; equal ones keep the order of the file.
        model: Who answered, `None` where the file does not say.
    """

    place: str
    key: str
    question: Mapping[str, Any]
    draws: list[dict[str, Any]]
    is_greedy: bool | None = None
    label: LabelValue | None = None
    order: float = 0.0
    model: str | None = None


def question_key(question: Mapping[str, Any]) -> str:
    """Return what the answers to one question have in common: its text and what was asked with it.

    Case does not tell questions apart: the same one is typed by hand on several rows.
    """
    return "\0".join(collapse(str(question.get(name) or "")).casefold() for name in ("question", "context", "system"))


def grouped(drawn: Iterable[Drawn], source: Source) -> Iterator[Line]:
    """Yield a header with the model's name, then a line a question in the order of their first answers.

    A single answer drawn at temperature 0 is the greedy answer. Where every question has one answer and nothing says
    how it was drawn, it is taken as the greedy answer.

    Raises:
        LineError: The answers are those of several models and none of them was chosen.
    """
    groups: dict[str, list[Drawn]] = {}
    notes = source.notes
    parts = list(drawn)
    model = chosen_model([part.model for part in parts if part.model is not None], source.options)
    if model is not None:
        yield header_line(model=model)
    for part in parts:
        if part.model in (None, model):
            groups.setdefault(part.key, []).append(part)
        else:
            notes.leave_out_model(model, len(part.draws))
    is_single = all(sum(len(part.draws) for part in group) == 1 for group in groups.values())
    if is_single and any(part.is_greedy is None for group in groups.values() for part in group):
        notes.say("one answer per question: taken as the greedy answer")
    for group in groups.values():
        values = _line(group, is_single, notes)
        yield Line(group[0].place, lambda values=values: values)


def chosen_model(named_models: Iterable[str], options: ImportOptions) -> str | None:
    """Return the one model of a file, or the one that was named.

    Raises:
        LineError: There are several and none of them was chosen.
    """
    models = list(dict.fromkeys(named_models))
    named = [name for name in models if options.model is not None and options.model in (name, name.split("/")[-1])]
    if len(models) > 1 and len(named) != 1:
        listed = ", ".join(shown(name) for name in models[:8])
        hint = f"name one of them with `--model`: {listed}"
        raise LineError(f"the answers of {len(models)} models stand in one file", hint)
    return (named or models or [None])[0]


def _line(group: Sequence[Drawn], is_single: bool, notes: Notes) -> dict[str, Any]:
    parts = sorted(group, key=lambda part: part.order)
    greedy = [part for part in parts if part.is_greedy and len(part.draws) == 1]
    if is_single and parts[0].is_greedy is None:
        greedy = parts
    if len(greedy) > 1:
        if len(greedy) == len(parts):
            notes.count(
                "question was asked several times at temperature 0: its answers are taken as samples",
                "questions were asked several times at temperature 0: their answers are taken as samples",
            )
            greedy = []
        else:
            notes.count(
                "further answer drawn at temperature 0 is left out",
                "further answers drawn at temperature 0 are left out",
                len(greedy) - 1,
            )
    left_out = {id(part) for part in greedy}
    samples = [part for part in parts if id(part) not in left_out]
    values: dict[str, Any] = dict(group[0].question)
    if greedy:
        values["greedy"] = greedy[0].draws[0]
    if samples:
        values["samples"] = [draw for part in samples for draw in part.draws]
    label = greedy[0].label if greedy else label_of_draws([part.label for part in samples])
    if label is not None and not greedy and len(samples) > 1:
        notes.say("the label of a question is that of most of its answers, `ambiguous` where there is no majority")
    if label is not None:
        values["label"] = label.value
    return values
