"""lm-evaluation-harness, files of `--log_samples`: a document a line, the model's replies under `resps`."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from homogaudit.recordings.draws import draw_of, label_of, temperature_of
from homogaudit.recordings.question_fields import QuestionFields, prompt_question
from homogaudit.recordings.source import Notes, Source, items_of, number_of, object_of, text_of
from homogaudit.store.recorded import Line
from homogaudit.store.recorded_lines import LineError, shown

_VERDICTS = ("exact_match", "em", "acc", "pass@1", "contains", "score")
"""Metrics of which 1 says that the filtered answer is right, the surest first."""

_KEPT = ("doc_id", "filter", "filtered_resps")


def is_logged_sample(record: Mapping[str, Any]) -> bool:
    """Whether a record is a line of such a file."""
    return "resps" in record and ("doc" in record or "arguments" in record)


def read_logged_samples(source: Source) -> Iterator[Line]:
    """Yield a line a document: repeats as samples, a single reply drawn without sampling as the greedy answer.

    A document stands once for every filter of its task; the first counts.
    """
    documents = [object_of(record.get("doc")) for record in source.records]
    fields, notes = QuestionFields(source, documents), source.notes
    filters: dict[str, str] = {}
    for line in source.lines:
        record = source.read(line)
        document, used = str(record.get("doc_id")), str(record.get("filter"))
        first = filters.setdefault(document, used)
        if first != used:
            notes.say(f"the answers are the same under every filter: {shown(used)} is left out, {shown(first)} counts")
            continue
        yield Line(line.place, partial(_line, record, fields, notes))


def _line(record: Mapping[str, Any], fields: QuestionFields, notes: Notes) -> dict[str, Any]:
    texts = _texts(record, notes)
    arguments = [object_of(value) for _, value in sorted(object_of(record.get("arguments")).items())]
    settings = object_of(arguments[0].get("arg_1")) if arguments else {}
    values = _question(record, arguments, fields, notes)
    values |= {key: record[key] for key in _KEPT if key in record}
    draws = [{"text": text} for text in texts]
    is_greedy = len(draws) == 1 and (temperature_of(settings) in (0.0, None))
    values |= {"greedy": draws[0]} if is_greedy else {"samples": draws}
    for metric in _VERDICTS:
        value = record.get(metric)
        label = None if isinstance(value, str) else label_of(value)
        if label is not None:
            values["label"] = label.value
            notes.say(f"the metric {shown(metric)} of the filtered answer is read as the label")
            break
    return values


def _texts(record: Mapping[str, Any], notes: Notes) -> list[str]:
    """Return the model's replies, however deep the lists are in which they stand."""
    resps = items_of(record.get("resps"))
    if len(resps) > 1 and all(len(items_of(x)) == 1 for x in resps) and _is_likelihood(items_of(resps[0])[0]):
        raise _no_texts()
    texts: list[str] = []
    pending = list(reversed(resps))
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            if _is_likelihood(item):
                raise _no_texts()
            pending.extend(reversed(items_of(item)))
        elif isinstance(item, str):
            texts.append(item)
        elif item is None:
            texts.append(draw_of(None, notes)["text"])
        else:
            raise _no_texts()
    if not texts:
        raise LineError("`resps` holds no reply", "log the samples of a task that generates text")
    return texts


def _is_likelihood(item: object) -> bool:
    """Whether an item is `[log-likelihood, is greedy]`, as numbers or in words."""
    pair = items_of(item)
    return len(pair) == 2 and str(pair[1]) in ("True", "False") and number_of(str(pair[0])) is not None


def _no_texts() -> LineError:
    return LineError(
        "the replies are log-likelihoods of given choices: a multiple-choice task generates no text",
        "log a task of the kind `generate_until`, such as `triviaqa` or `gsm8k`",
    )


def _question(
    record: Mapping[str, Any], arguments: list[dict[str, Any]], fields: QuestionFields, notes: Notes
) -> dict[str, Any]:
    """Return what was asked: the document's own question, else the prompt that was sent."""
    document = object_of(record.get("doc"))
    values: dict[str, Any]
    try:
        values = fields.read(document)
    except LineError:
        prompt = text_of(arguments[0].get("arg_0")) if arguments else None
        if prompt is None or not prompt.strip():
            raise
        notes.say("the documents hold no question under a known name: the whole prompt is taken as the question")
        values = {**prompt_question(prompt, notes), "doc": document}
    if not values.get("answers"):
        target = record.get("target")
        values["answers"] = fields.references(target)
    return values
