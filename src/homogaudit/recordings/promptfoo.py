"""Results of promptfoo (`promptfoo eval -o results.json`): a test's answers, several with `--repeat`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from homogaudit.recordings.draws import finish_reason, label_of
from homogaudit.recordings.grouping import Drawn, grouped, question_key
from homogaudit.recordings.question_fields import QuestionFields, prompt_question
from homogaudit.recordings.source import Notes, Source, items_of, object_of, text_of
from homogaudit.store.recorded import Line
from homogaudit.store.recorded_lines import LineError, shown

_REFERENCE_ASSERTS = frozenset(
    {
        "equals",
        "contains",
        "icontains",
        "contains-any",
        "icontains-any",
        "similar",
        "factuality",
        "model-graded-factuality",
        "model-graded-closedqa",
        "answer-relevance",
    }
)
"""Assertions whose value is what the answer should be; the others look at its form."""


def is_results(document: object) -> bool:
    """Whether a JSON document holds such results."""
    return any(
        "vars" in row and "prompt" in row and ("response" in row or "error" in row) for row in _rows(document)[:5]
    )


def read_results(source: Source) -> Iterator[Line]:
    """Yield a header and a line a question."""
    return grouped(_drawn(source), source)


def _rows(document: object) -> list[dict[str, Any]]:
    """Return the results of a document: `results.results` since version 3, `results` before."""
    outer = object_of(document)
    inner = outer.get("results")
    rows = items_of(inner) or items_of(object_of(inner).get("results")) or items_of(document)
    return [object_of(row) for row in rows]


def _drawn(source: Source) -> Iterator[Drawn]:
    fields, notes = QuestionFields(source), source.notes
    has_prompts = len({_prompt_name(row) for row in _rows(source.document)}) > 1
    if has_prompts:
        notes.say("the tests were asked with several prompts: a question is the whole prompt")
    for number, row in enumerate(_rows(source.document), start=1):
        response = object_of(row.get("response"))
        output = response.get("output")
        if output is None:
            notes.count("result failed and is left out", "results failed and are left out")
            continue
        if response.get("cached") is True:
            notes.count(
                "answer came from promptfoo's cache: a repeat of one draw, no draw (`--no-cache`)",
                "answers came from promptfoo's cache: repeats of one draw, not draws (`--no-cache`)",
            )
        text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
        draw = {"text": text, "finish_reason": finish_reason(response.get("finishReason"), notes)}
        with source.at(f"result {number}"):
            question = _question(row, fields, notes)
            if has_prompts:
                prompt = text_of(object_of(row.get("prompt")).get("raw")) or ""
                question = {**question, **prompt_question(prompt, notes)} | {"id": None}
        provider = row.get("provider")
        model = text_of(provider) or text_of(object_of(provider).get("label")) or text_of(object_of(provider).get("id"))
        asserts = items_of(object_of(row.get("testCase")).get("assert"))
        label = label_of(row.get("success")) if asserts else None
        if label is not None:
            notes.say("`success` of a result's assertions is read as the label")
        temperature = object_of(object_of(provider).get("config")).get("temperature")
        is_greedy = None if temperature is None else temperature == 0
        yield Drawn(f"result {number}", question_key(question), question, [draw], is_greedy, label, model=model)


def _prompt_name(row: Mapping[str, Any]) -> str:
    """Return what the results of one prompt have in common; it is filled in with other variables in each."""
    prompt = object_of(row.get("prompt"))
    label = prompt.get("label")
    return str(row.get("promptIdx") if "promptIdx" in row else "" if label == prompt.get("raw") else label)


def _question(row: Mapping[str, Any], fields: QuestionFields, notes: Notes) -> dict[str, Any]:
    """Return what a result was asked: a variable with a question's name, else the prompt."""
    variables = object_of(row.get("vars"))
    try:
        question = fields.read(variables)
    except LineError:
        prompt = text_of(object_of(row.get("prompt")).get("raw")) or ""
        question = prompt_question(prompt, notes) | {"vars": variables}
        if not question.get("question"):
            raise
    if not question.get("answers"):
        asserts = [object_of(x) for x in items_of(object_of(row.get("testCase")).get("assert"))]
        values = [x.get("value") for x in asserts if text_of(x.get("type")) in _REFERENCE_ASSERTS]
        answers = [answer for value in values for answer in fields.references(value)]
        if answers:
            notes.say(f"the values of assertions such as {shown(asserts[0].get('type'))} are the reference answers")
            question["answers"] = answers
    return question
