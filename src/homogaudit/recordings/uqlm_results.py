"""Results of uqlm: a prompt, its response, the sampled responses, and uqlm's own confidence scores as signals."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from homogaudit.recordings.answers import AnswerReader, list_in_cell
from homogaudit.recordings.source import Source, header_line, number_of
from homogaudit.store.recorded import Line

_PLURALS = {"prompts": "prompt", "responses": "response"}

_SCORES = (
    "semantic_negentropy",
    "noncontradiction",
    "entailment",
    "exact_match",
    "cosine_sim",
    "bert_score",
    "semantic_sets_confidence",
    "semantic_density_value",
    "semantic_density_values",
    "semantic_density",
    "min_probability",
    "normalized_probability",
    "sequence_probability",
    "mean_token_negentropy",
    "min_token_negentropy",
    "probability_margin",
    "monte_carlo_probability",
    "consistency_and_confidence",
    "p_true",
    "ensemble_score",
    "ensemble_scores",
)
"""In [0, 1], higher where uqlm is more confident (uqlm 0.6)."""


def is_result(record: Mapping[str, Any]) -> bool:
    """Whether a record is a row of such a result: its own names, and its samples or one of its scores."""
    names = {_PLURALS.get(name, name) for name in record}
    is_named = {"prompt", "response"} <= names
    response = record.get("response", record.get("responses"))
    return is_named and list_in_cell(response) is None and bool(names & {"sampled_responses", *_SCORES})


def read_results(source: Source) -> Iterator[Line]:
    """Yield a header with the directions of the scores, then a line a prompt."""
    scores = [name for name in source.columns() if name in _SCORES]
    if scores:
        yield header_line(directions=dict.fromkeys(scores, -1))
        source.notes.say(f"uqlm's scores are read as signals, lower is more uncertain: {', '.join(scores)}")
    reader = AnswerReader(source)
    for line in source.lines:
        yield Line(line.place, partial(_line, line, reader))


def _line(line: Line, reader: AnswerReader) -> Mapping[str, Any]:
    values = {_PLURALS.get(name, name): value for name, value in line.read().items()}
    scores = {name: values.pop(name) for name in list(values) if name in _SCORES}
    signals = {name: number_of(value) if isinstance(value, str) else value for name, value in scores.items()}
    if signals:
        values["signals"] = signals
    return reader.read(values)
