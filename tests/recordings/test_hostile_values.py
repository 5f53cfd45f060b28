"""Whatever stands in the place of a value, a recorded file of any layout is stored, or is one clear error."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homogaudit.errors import HomogauditError
from homogaudit.questions.thinking import ParsedAnswer, split_thinking
from homogaudit.recordings import read_recording
from homogaudit.records import Prompting
from homogaudit.report.run_data import read_run
from homogaudit.signals.registry import SIGNALS
from homogaudit.store import RunFile
from homogaudit.store.recorded import ExportOptions, export_run, write_run

_CHAT = {
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Nile", "reasoning_content": "hm"},
            "finish_reason": "stop",
            "logprobs": {
                "content": [{"token": "Nile", "logprob": -0.3, "top_logprobs": [{"token": "Nile", "logprob": -0.3}]}]
            },
        }
    ],
    "usage": {"completion_tokens": 3},
}
_DOCUMENTS: dict[str, tuple[str, Any]] = {
    "recorded": (
        "a.jsonl",
        [
            {"format": "homogaudit.recorded", "version": 1, "model": "m", "directions": {"density": -1}},
            {
                "id": "q1",
                "question": "Which river?",
                "category": "rivers",
                "answers": ["Nile"],
                "greedy": {
                    "text": "Nile",
                    "tokens": 2,
                    "seconds": 0.5,
                    "token_ids": [7, 2],
                    "token_entropies": [0.5, 0.1],
                    "token_logprobs": [-0.5, -0.1],
                    "answer_mask": [True, False],
                },
                "samples": ["Nile", {"text": "Congo", "finish_reason": "length", "state": "valid", "answer": "Congo"}],
                "label": "correct",
                "signals": {"density": 0.4},
                "calls": {"p_true": {"value": 0.5, "reason": "", "text": "A", "tokens": 3, "seconds": 0.1}},
            },
        ],
    ),
    "table": ("a.jsonl", [{"question": "Q?", "response": "a", "completion": ["b", "c"], "temperature": 1.0, "n": 2}]),
    "chat": (
        "a.json",
        [{"request": {"messages": [{"role": "user", "content": "Q?"}], "temperature": 1.0}, "response": _CHAT}],
    ),
    "batch": (
        "a.jsonl",
        [{"custom_id": "q1", "response": {"status_code": 200, "body": _CHAT}, "error": None, "question": "Q?"}],
    ),
    "vllm": (
        "a.jsonl",
        [
            {
                "request_id": "0",
                "prompt": "Q?",
                "prompt_token_ids": [1],
                "outputs": [
                    {
                        "index": 0,
                        "text": " Nile",
                        "token_ids": [7, 2],
                        "cumulative_logprob": -1.0,
                        "logprobs": [{"7": {"logprob": -0.3, "rank": 1}}, {"2": {"logprob": -0.1, "rank": 1}}],
                        "finish_reason": "stop",
                    }
                ],
            }
        ],
    ),
    "promptfoo": (
        "a.json",
        {
            "evalId": "e",
            "results": {
                "version": 3,
                "results": [
                    {
                        "provider": {"id": "p", "config": {"temperature": 1}},
                        "prompt": {"raw": "Q?", "label": "p"},
                        "vars": {"question": "Q?"},
                        "response": {"output": "Nile", "finishReason": "stop", "cached": False},
                        "success": True,
                        "testCase": {"assert": [{"type": "icontains", "value": "Nile"}]},
                    }
                ],
            },
        },
    ),
    "inspect": (
        "a.json",
        {
            "version": 2,
            "status": "success",
            "eval": {"model": "m", "task": "t", "config": {"epochs": 1}, "model_generate_config": {"temperature": 1}},
            "plan": {"name": "plan", "config": {"temperature": 1.0}},
            "samples": [
                {
                    "id": "p1",
                    "epoch": 1,
                    "input": "Q?",
                    "target": "Nile",
                    "output": {"model": "m", "choices": [{"message": {"role": "assistant", "content": "Nile"}}]},
                    "scores": {"match": {"value": "C"}},
                }
            ],
        },
    ),
    "lm-eval": (
        "samples_t.jsonl",
        [
            {
                "doc_id": 0,
                "doc": {"question": "Q?", "answer": "Nile"},
                "target": "Nile",
                "arguments": [["Q?", {"until": ["\n"], "temperature": 1.0}]],
                "resps": [["Nile", "Congo"]],
                "filtered_resps": ["Nile"],
                "exact_match": 1.0,
            }
        ],
    ),
}
_HOSTILE = (
    *(
        "1" + "0" * 400,
        "9" * 5000,
        "-1",
        "-0.0",
        "1e309",
        "-1e309",
        "NaN",
        "Infinity",
        str(2**63),
        "-9223372036854775809",
    ),
    *("1e-400", "3.5e38", "0.5", "null", "true", "[]", "{}", '""', '" "', '"\\ud800"', '"\\u0000"', '"\\u001b[31mx"'),
    *(
        '"1_000"',
        '"nan"',
        '"1e999"',
        '"٣"',
        '"=1+1"',
        "[" * 300 + "]" * 300,
        "[" * 30_000,
        '{"a":' * 70 + "1" + "}" * 70,
    ),
    *("[null]", "[[]]", "[{}]", "[true]", "[-1]", "[1e39]", '["a", 1]', '{"a": 1}', '{"0": "x"}', '[{"text": 1}]'),
)
"""JSON texts, some of which no reader takes."""
_PLACE = "@here@"


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from _places(member, (*path, key))


def _marked(value: Any, path: tuple[Any, ...]) -> Any:
    if not path:
        return _PLACE
    if isinstance(value, dict):
        return {key: _marked(member, path[1:]) if key == path[0] else member for key, member in value.items()}
    return [_marked(member, path[1:]) if index == path[0] else member for index, member in enumerate(value)]


@st.composite
def _hostile_file(draw: st.DrawFn) -> tuple[str, str]:
    """A name and a text in which one value of a good file is another."""
    name, document = _DOCUMENTS[draw(st.sampled_from(sorted(_DOCUMENTS)))]
    marked = _marked(document, draw(st.sampled_from(list(_places(document)))))
    parts = marked if name.endswith(".jsonl") and isinstance(marked, list) else [marked]
    text = "\n".join(json.dumps(part) for part in parts)
    return name, text.replace(f'"{_PLACE}"', draw(st.sampled_from(_HOSTILE)))


def _parse(text: str) -> ParsedAnswer:
    return split_thinking(text, Prompting(), False)


def _read_all(path: Path, folder: Path) -> None:
    """Import, read and export a file, and read what was exported."""
    recording = read_recording(path, parse_answer=_parse)
    out = folder / "x.audit"
    out.unlink(missing_ok=True)
    with write_run(recording.file, out, own_signals=SIGNALS.keys(), model="m", warnings=recording.warnings) as run:
        read_run(run)
    with RunFile.open(out) as run, StringIO() as stream:
        export_run(run, stream, parse_answer=_parse, options=ExportOptions(computed_signals=True))
        back = folder / "back.jsonl"
        back.write_text(stream.getvalue(), encoding="utf-8")
    read_recording(back, parse_answer=None)


@pytest.mark.parametrize("layout", _DOCUMENTS)
def test_the_files_that_are_changed_are_good_ones(tmp_path: Path, layout: str) -> None:
    name, document = _DOCUMENTS[layout]
    path = tmp_path / name
    path.write_text("\n".join(map(json.dumps, document)) if name.endswith(".jsonl") else json.dumps(document))
    _read_all(path, tmp_path)


@settings(max_examples=200)
@given(file=_hostile_file())
def test_a_file_with_any_value_is_stored_or_is_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, file: tuple[str, str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / file[0]
    path.write_text(file[1], encoding="utf-8")
    try:
        _read_all(path, folder)
    except HomogauditError as error:
        assert error.exit_code == 2
        assert "\n" not in error.message and len(error.message) < 500
