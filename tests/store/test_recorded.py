"""Recorded generations: what is read, what is refused, and the way there and back."""

import base64
import io
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from homogaudit.errors import RecordedFileError, RunFileError, StorageError
from homogaudit.events import JobEmbedder, Scoring
from homogaudit.questions.thinking import split_thinking
from homogaudit.records import (
    Generation,
    GenerationState,
    LabelValue,
    ModelCall,
    Prompting,
    Question,
    SampleSet,
    SignalValue,
    make_question_id,
)
from homogaudit.store.facts import EmbedderUsed
from homogaudit.store.recorded import ExportOptions, RecordedFile, export_run, read_recorded, write_run
from homogaudit.store.recorded_lines import AnswerText
from homogaudit.store.run_file import RunFile

REFERENCE = Path(os.environ.get("HOMOGAUDIT_REFERENCE", Path(__file__).parents[2] / ".." / "shared" / "reference"))
HEADER = {"format": "homogaudit.recorded", "version": 1}


def parse(text: str) -> AnswerText:
    return split_thinking(text, Prompting(), False)


def write(path: Path, *lines: dict[str, Any] | str | bytes) -> Path:
    encoded = [line if isinstance(line, str | bytes) else json.dumps(line) for line in lines]
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in encoded))
    return path


def read(tmp_path: Path, *lines: dict[str, Any] | str | bytes, keep_thinking: bool = False) -> RecordedFile:
    path = write(tmp_path / "recorded.jsonl", *lines)
    return read_recorded(path, parse_answer=None if keep_thinking else parse)


def refused(tmp_path: Path, *lines: dict[str, Any] | str | bytes) -> str:
    with pytest.raises(RecordedFileError) as error:
        read(tmp_path, *lines)
    message = error.value.message
    assert message.isprintable()
    return message


def reference(name: str) -> Path:
    path = REFERENCE / name
    if not path.is_file():
        pytest.skip(f"no reference data at {REFERENCE}: set HOMOGAUDIT_REFERENCE")
    return path


# What is read


def test_only_the_question_is_required(tmp_path: Path):
    recorded = read(tmp_path, {"question": "Who?"})
    (record,) = recorded.records
    assert record.question == Question(make_question_id("Who?"), "Who?")
    assert record.greedy is None
    assert not record.samples
    assert record.label is None
    assert not record.signals
    assert recorded.model is None
    assert not recorded.decoding


@pytest.mark.parametrize("text", ["Who?", "Wie heißt\n du?", "Cafe\u0301  or café?"])
def test_ids_are_made_as_the_question_loader_makes_them(tmp_path: Path, text: str):
    assert read(tmp_path, {"question": text}).records[0].question.id == make_question_id(text)


def test_every_part_of_a_line_is_read(tmp_path: Path):
    recorded = read(
        tmp_path,
        HEADER | {"model": "m", "decoding": {"n": 2}, "directions": {"density": -1}, "lab": "x"},
        {
            "id": 7,
            "question": "Who?",
            "category": "people",
            "answers": ["A", " "],
            "incorrect_answers": ["B"],
            "passages": ["p"],
            "greedy": {
                "text": "<think>hm</think> A.",
                "finish_reason": "length",
                "token_ids": [1, 2],
                "token_entropies": [0, 0.5],
                "token_logprobs": [-1, 0],
                "token_logits": [3.5, -2],
                "temperature": 0,
            },
            "samples": [{"text": "A"}, {"text": "<think>never closed"}, {"text": " \n"}],
            "label": "ambiguous",
            "signals": {"density": 1, "unknown": None},
            "source": {"page": 3},
        },
    )
    assert (recorded.model, recorded.decoding, recorded.directions) == ("m", {"n": 2}, {"density": -1})
    assert recorded.header_extra == {"lab": "x"}
    (record,) = recorded.records
    assert record.question == Question("7", "Who?", "people", ("A",), ("B",), ("p",), {"source": {"page": 3}})
    greedy = record.greedy
    assert greedy is not None
    assert (greedy.answer, greedy.state, greedy.tokens) == ("A.", GenerationState.VALID, 2)
    assert greedy.is_truncated
    statistics = greedy.statistics
    for array, dtype, values in (
        (statistics.token_ids, np.int32, [1, 2]),
        (statistics.entropies, np.float32, [0, 0.5]),
        (statistics.logprobs, np.float32, [-1, 0]),
        (statistics.logits, np.float32, [3.5, -2]),
    ):
        assert array is not None
        assert array.dtype == dtype
        assert array.tolist() == values
    assert [sample.state for sample in record.samples] == [
        GenerationState.VALID,
        GenerationState.THINKING_UNCLOSED,
        GenerationState.EMPTY,
    ]
    assert record.samples[0].tokens is None
    assert record.label is LabelValue.AMBIGUOUS
    assert record.signals == {"density": 1.0}
    assert record.generation_extra == {-1: {"temperature": 0}}


def test_thinking_is_kept_on_demand(tmp_path: Path):
    line = {"question": "Who?", "samples": [{"text": " <think>hm</think> "}, {"text": " "}]}
    samples = read(tmp_path, line, keep_thinking=True).records[0].samples
    assert [sample.answer for sample in samples] == ["<think>hm</think>", ""]
    assert [sample.state for sample in samples] == [GenerationState.VALID, GenerationState.EMPTY]


def test_an_answer_mask_says_which_tokens_are_the_answer(tmp_path: Path):
    greedy = {"text": "<think>x</think>A", "token_entropies": [1, 2, 3], "answer_mask": [False, False, True]}
    generation = read(tmp_path, {"question": "Who?", "greedy": greedy}).records[0].greedy
    assert generation is not None
    answer = generation.statistics.of_answer(generation.statistics.entropies)
    assert answer is not None
    assert answer.tolist() == [3]


def test_rounding_below_zero_entropy_and_above_zero_log_probability_counts_as_zero(tmp_path: Path):
    greedy = {"text": "A", "token_entropies": [-1e-7], "token_logprobs": [1e-7]}
    generation = read(tmp_path, {"question": "Who?", "greedy": greedy}).records[0].greedy
    assert generation is not None
    assert generation.statistics.entropies is not None
    assert generation.statistics.logprobs is not None
    assert generation.statistics.entropies[0] == generation.statistics.logprobs[0] == 0


def test_a_byte_order_mark_crlf_blank_lines_and_line_separators_are_read(tmp_path: Path):
    question = json.dumps({"question": "One\u2028two?"}, ensure_ascii=False)
    content = b"\xef\xbb\xbf" + json.dumps(HEADER).encode() + b"\r\n\r\n" + question.encode() + b"\r\n"
    (record,) = read(tmp_path, content).records
    assert record.question.text == "One\u2028two?"


def test_unknown_keys_of_other_kinds_than_ours_are_kept(tmp_path: Path):
    sample = {"text": "A", "tokens": ["A"], "state": ["x"], "answer": 3, "seconds": "fast"}
    record = read(tmp_path, {"question": "Who?", "passages": [[1]], "samples": [sample]}).records[0]
    assert record.question.extra == {"passages": [[1]]}
    assert record.generation_extra == {0: {key: value for key, value in sample.items() if key != "text"}}
    assert record.samples[0].answer == "A"


# What is refused


GOOD = {"question": "Good?"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"question": "Who?"', "broken JSON"),
        ("[1]", "a list, expected an object"),
        ("null", "null, expected an object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"question": "Who?", "x": ' + "9" * 5000 + "}", "a number too long"),
        ('{"question": "Who?", "x": NaN}', "`NaN` is not a JSON number"),
        ('{"question": "Who?", "x": 1e999}', "not finite"),
        ('{"question": "Who?", "x": ' + "[" * 80 + "]" * 80 + "}", "deeper than 64"),
        (b'{"question": "caf\xe9"}', "not UTF-8 (byte `0xe9`)"),
        ('{"question": "\\ud800"}', "surrogate"),
        ({"text": "Who?"}, "no `question`"),
        ({"question": None}, "no `question`"),
        ({"question": 3}, "`question` is a number"),
        ({"question": " "}, "`question` is empty"),
        ({"question": "Who?", "id": True}, "`id` is true or false"),
        ({"question": "Who?", "id": " "}, "`id` is"),
        ({"question": "Who?", "category": 3}, "`category` is a number"),
        ({"question": "Who?", "answers": "A"}, "`answers` is not a list of texts"),
        ({"question": "Who?", "incorrect_answers": [1]}, "`incorrect_answers` is not a list of texts"),
        ({"question": "Who?", "samples": {"text": "A"}}, "`samples` is an object"),
        ({"question": "Who?", "samples": [1]}, "`samples[0]`: a number, expected a text or an object"),
        ({"question": "Who?", "samples": [{"text": "A", "tokens": 2**63}]}, "`tokens` is `9223372036854775808`"),
        ({"question": "Who?", "samples": [{"text": "A", "seconds": 10**400}]}, "`seconds` is `1000"),
        ({"question": "Who?", "greedy": {}}, "`greedy`: no `text`"),
        ({"question": "Who?", "greedy": {"text": 1}}, "`text` is a number"),
        ({"question": "Who?", "greedy": {"text": "A", "finish_reason": "eos"}}, "`finish_reason` is `eos`"),
        ({"question": "Who?", "label": "right"}, "`label` is `right`"),
        ({"question": "Who?", "label": []}, "`label` is `[]`"),
        ({"question": "Who?", "label": "\x1b[31mred"}, "`label` is `\\u001b[31mred`"),
        ({"question": "Who?", "signals": [1]}, "`signals` is a list"),
        ({"question": "Who?", "signals": {"d": "1"}}, "the signal `d` is a text"),
        ({"question": "Who?", "signals": {"d": True}}, "the signal `d` is true or false"),
        ('{"question": "Who?", "signals": {"d": 1e999}}', "the signal `d` is not finite"),
        ({"question": "Who?", "signals": {"d": 10**400}}, "the signal `d` is not finite"),
        ({"question": "Who?", "signals": {" ": 1}}, "without a name"),
        (HEADER, "the header is not on the first line"),
        ({"format": "other"}, "the format is `other`"),
    ],
)
def test_a_bad_line_is_named_by_number_and_reason(tmp_path: Path, line: dict[str, Any] | str | bytes, reason: str):
    message = refused(tmp_path, HEADER, GOOD, "", line)
    assert "recorded.jsonl` line 4: " in message
    assert reason in message


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ('"token_entropies": [0.1], "token_ids": [1, 2]', "different lengths: `token_ids` 2, `token_entropies` 1"),
        ('"token_entropies": [0.1], "answer_mask": [true, true]', "different lengths"),
        ('"token_entropies": [0.1, NaN]', "`NaN` is not a JSON number"),
        ('"token_entropies": [0.1, Infinity]', "`Infinity` is not a JSON number"),
        ('"token_logits": [1e999]', "`token_logits` holds a number that is not finite"),
        ('"token_logits": [1e39]', "`token_logits` holds a number that is not finite"),
        ('"token_entropies": [-0.5]', "`token_entropies` holds `-0.5`"),
        ('"token_logprobs": [0.5]', "`token_logprobs` holds `0.5`"),
        ('"token_entropies": [null]', "`token_entropies` holds null"),
        ('"token_entropies": [true]', "`token_entropies` holds true or false"),
        ('"token_entropies": 0.5', "`token_entropies` is a number"),
        ('"token_ids": [-1]', "not a token id"),
        ('"token_ids": [1.5]', "not a token id"),
        ('"token_ids": [2147483648]', "not a token id"),
        ('"answer_mask": [1]', "`answer_mask`"),
    ],
)
def test_a_bad_token_array_is_named(tmp_path: Path, arrays: str, reason: str):
    message = refused(tmp_path, '{"question": "Who?", "samples": [{"text": "A"}, {"text": "B", ' + arrays + "}]}")
    assert "line 1: " in message
    assert reason in message


def test_a_repeated_id_is_named_with_both_lines(tmp_path: Path):
    lines = ({"id": "x", "question": "Who?"}, GOOD, {"id": "x", "question": "What?"})
    assert "line 3: the id `x` is already on line 1" in refused(tmp_path, *lines)
    assert "is already on line 1" in refused(tmp_path, GOOD, GOOD)


def test_further_bad_lines_are_counted(tmp_path: Path):
    assert "line 2: no `question` (and 2 more bad lines)" in refused(tmp_path, GOOD, {}, {}, "x")
    assert refused(tmp_path, GOOD, {}, "x").endswith("(and 1 more bad line)")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (HEADER | {"version": 2}, "the format has version 2, and this homogaudit reads up to 1"),
        (HEADER | {"version": "1"}, "`version` is `1`"),
        (HEADER | {"version": True}, "`version` is `true`"),
        (HEADER | {"model": 3}, "`model` is a number"),
        (HEADER | {"decoding": []}, "`decoding` is a list"),
        (HEADER | {"directions": {"d": 2}}, "the direction of `d` is `2`"),
        (HEADER | {"directions": {"d": True}}, "the direction of `d` is `true`"),
        (HEADER | {"directions": [1]}, "`directions` is a list"),
        (HEADER | {"until_decided": True}, "`until_decided` is true or false"),
        (HEADER | {"until_decided": {"max_scr": 2.0}}, "`max_scr` of `until_decided` is `2.0`"),
        (HEADER | {"until_decided": {"seed": "x"}}, "`seed` of `until_decided` is `x`"),
    ],
)
def test_a_bad_header_is_named(tmp_path: Path, header: dict[str, Any], reason: str):
    assert f"line 1: {reason}" in refused(tmp_path, header, GOOD)


@pytest.mark.parametrize("lines", [(), ("",), (HEADER,)])
def test_a_file_without_questions_is_refused(tmp_path: Path, lines: tuple[Any, ...]):
    assert "holds no questions" in refused(tmp_path, *lines)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(RecordedFileError, match="no file at"):
        read_recorded(tmp_path / "absent", parse_answer=parse)
    with pytest.raises(RecordedFileError, match="is a folder"):
        read_recorded(tmp_path, parse_answer=parse)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_our_error(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    path = tmp_path_factory.mktemp("bytes") / "x"
    path.write_bytes(content)
    with pytest.raises(RecordedFileError):
        read_recorded(path, parse_answer=parse)


# Into a run file


def test_a_run_file_holds_what_was_recorded(tmp_path: Path):
    recorded = read(
        tmp_path,
        HEADER | {"directions": {"perplexity": -1, "density": -1}},
        {
            "id": "a",
            "question": "Who?",
            "greedy": {"text": "A"},
            "label": "correct",
            "signals": {"perplexity": 2, "density": 0.5},
        },
        {"id": "b", "question": "What?", "samples": [{"text": "B"}, {"text": "C"}]},
    )
    with write_run(recorded, tmp_path / "runs" / "r.audit", own_signals={"perplexity"}) as run:
        assert run.status == "started"
        assert (run.meta("model"), run.meta("question_source")) == ("recorded", "recorded.jsonl")
        assert run.meta("directions") == {"recorded:perplexity": -1, "density": -1}
        assert run.parameters == {"recorded": True, "decoding": {}, "samples": 2, "keep_thinking": False}
        assert run.generation_keys() == {("a", -1), ("b", 0), ("b", 1)}
        assert run.judges() == ["recorded"]
        assert {name: list(values) for name, values in run.signals().items()} == {
            "density": ["a"],
            "recorded:perplexity": ["a"],
        }
        assert run.signals()["recorded:perplexity"]["a"].value == 2


def test_the_model_given_stands_before_the_one_in_the_file(tmp_path: Path):
    recorded = read(tmp_path, HEADER | {"model": "in the file"}, GOOD)
    with write_run(recorded, tmp_path / "1.audit") as run:
        assert run.meta("model") == "in the file"
    with write_run(recorded, tmp_path / "2.audit", model="given") as run:
        assert run.meta("model") == "given"


def test_a_run_that_is_there_is_not_touched(tmp_path: Path):
    recorded = read(tmp_path, GOOD)
    path = tmp_path / "r.audit"
    write_run(recorded, path).close()
    before = path.read_bytes()
    with pytest.raises(RunFileError, match="exists"):
        write_run(recorded, path)
    assert path.read_bytes() == before


def test_a_run_that_could_not_be_written_whole_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recorded = read(tmp_path, {"question": "Who?", "samples": [{"text": "A"}, {"text": "B"}]})
    stored: list[Generation] = []
    add_generation = RunFile.add_generation

    def fail_at_the_second(run: RunFile, generation: Generation) -> None:
        if stored:
            raise StorageError("no space left")
        stored.append(generation)
        add_generation(run, generation)

    monkeypatch.setattr(RunFile, "add_generation", fail_at_the_second)
    (tmp_path / "runs").mkdir()
    with pytest.raises(StorageError):
        write_run(recorded, tmp_path / "runs" / "r.audit")
    assert not list((tmp_path / "runs").iterdir())


# There and back


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything of a run that a round trip keeps, as values that compare."""

    questions: list[Question]
    generations: list[Any]
    labels: dict[str, str]
    signals: dict[str, dict[str, float | None]]
    meta: list[Any]


def comparable(generation: Generation) -> tuple[Any, ...]:
    statistics = generation.statistics
    arrays = (
        statistics.token_ids,
        statistics.entropies,
        statistics.logprobs,
        statistics.logits,
        statistics.answer_mask,
    )
    return (
        generation.question_id,
        generation.sample_index,
        generation.text,
        generation.answer,
        generation.state,
        generation.finish_reason,
        generation.tokens,
        generation.seconds,
        *(None if array is None else (array.dtype, array.tobytes()) for array in arrays),
    )


def contents(run: RunFile) -> Contents:
    def draws(sample_set: SampleSet) -> list[Generation]:
        return [*([sample_set.greedy] if sample_set.greedy else []), *sample_set.samples]

    return Contents(
        run.questions(),
        [comparable(generation) for sample_set in run.sample_sets() for generation in draws(sample_set)],
        {key: label.value.value for key, label in run.labels("recorded").items()},
        {name: {key: value.value for key, value in values.items()} for name, values in run.signals().items()},
        [run.meta("model"), run.meta("directions"), run.meta("recorded"), run.parameters["decoding"]],
    )


def exported(run: RunFile, **options: Any) -> str:
    stream = io.StringIO()
    assert export_run(run, stream, parse_answer=parse, options=ExportOptions("recorded", **options)) == len(run)
    return stream.getvalue()


texts = st.one_of(
    st.text(max_size=20), st.sampled_from(["<think>a</think> b", "<think>never", "a</think>", "\x1b[31m\x9b\u2028\0"])
)
FLOAT32_MAX = (2 - 2**-23) * 2.0**127
single = {"width": 32, "allow_nan": False, "allow_infinity": False}


@st.composite
def generations(draw: st.DrawFn) -> dict[str, Any]:
    """A draw as a file may hold it."""
    value: dict[str, Any] = {"text": draw(texts), **draw(st.dictionaries(st.just("extra"), st.integers(), max_size=1))}
    length = draw(st.integers(0, 4))
    arrays = {
        "token_ids": st.integers(0, 2**31 - 1),
        "token_entropies": st.floats(0, 20, width=32),
        "token_logprobs": st.floats(-100, 0, width=32),
        "token_logits": st.floats(**single),
        "answer_mask": st.booleans(),
    }
    for key, items in arrays.items():
        if draw(st.booleans()):
            value[key] = draw(st.lists(items, min_size=length, max_size=length))
    if (reason := draw(st.sampled_from([None, "stop", "length"]))) is not None:
        value["finish_reason"] = reason
    return value


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    """A question's line as a file may hold it, without its id."""
    value: dict[str, Any] = {"question": draw(st.text(min_size=1, max_size=20).filter(str.strip))}
    optional = {
        "category": st.text(max_size=5),
        "answers": st.lists(st.text(max_size=5), max_size=2),
        "passages": st.lists(st.text(max_size=5), max_size=2),
        "greedy": generations(),
        "samples": st.lists(generations(), max_size=3),
        "label": st.sampled_from(list(LabelValue)),
        "signals": st.dictionaries(st.sampled_from(["density", "perplexity"]), st.floats(-9, 9)),
        "note": st.one_of(st.none(), texts, st.lists(st.integers(), max_size=2)),
    }
    for key, strategy in optional.items():
        if draw(st.booleans()):
            value[key] = draw(strategy)
    return value


@settings(max_examples=40)
@given(records=st.lists(lines(), min_size=1, max_size=3), keep_thinking=st.booleans())
@example(records=[{"question": "?", "greedy": {"text": "x", "token_logits": [FLOAT32_MAX]}}], keep_thinking=False)
def test_what_is_exported_and_read_again_is_the_same_run(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], keep_thinking: bool
):
    folder = tmp_path_factory.mktemp("trip")
    header = HEADER | {"model": "m", "decoding": {"t": 0.3}, "directions": {"density": -1}, "lab": "x"}
    numbered = [{"id": f"q{index}", **record} for index, record in enumerate(records)]
    first = read(folder, header, *numbered, keep_thinking=keep_thinking)
    with write_run(first, folder / "1.audit", own_signals={"perplexity"}) as run:
        before, text = contents(run), exported(run)
    assert text.count("\n") == len(records) + 1
    assert all(char.isprintable() or char == "\n" for char in text if ord(char) < 0xA0)
    again = read(folder, text)
    with write_run(again, folder / "2.audit", own_signals={"perplexity"}) as run:
        assert contents(run) == before
        assert exported(run) == text


def test_states_that_a_text_does_not_show_survive(tmp_path: Path):
    questions = [Question("a", "Who?")]
    with RunFile.create(
        tmp_path / "1.audit", model="m", question_source="q", questions=questions, parameters={"decoding": {}}
    ) as run:
        states = [GenerationState.ERROR, GenerationState.THINKING_UNCLOSED, GenerationState.VALID]
        for index, state in enumerate(states):
            answer = "A" if state is GenerationState.VALID else ""
            run.add_generation(Generation("a", index, "thinking, A", answer, state, None, 5, seconds=2.5))
        before, text = contents(run).generations, exported(run)
    with write_run(read(tmp_path, text), tmp_path / "2.audit") as run:
        assert contents(run).generations == before
    # Who wants the raw text gets it, but a draw that failed stays failed.
    kept = read(tmp_path, text, keep_thinking=True).records[0].samples
    assert [sample.answer for sample in kept] == ["", "thinking, A", "thinking, A"]
    assert kept[0].state is GenerationState.ERROR


def test_computed_signals_are_written_on_demand_and_never_twice(tmp_path: Path):
    own = {"perplexity", "sindex"}
    line = {"id": "a", "question": "Who?", "signals": {"perplexity": 2.0, "density": 0.5}}
    with write_run(read(tmp_path, line), tmp_path / "1.audit", own_signals=own) as run:
        run.add_signals([SignalValue("a", "perplexity", 9.0), SignalValue("a", "sindex", 1.0)])
        without = json.loads(exported(run).splitlines()[1])["signals"]
        text = exported(run, computed_signals=True)
    assert without == {"perplexity": 2.0, "density": 0.5}
    assert json.loads(text.splitlines()[1])["signals"] == {"perplexity": 2.0, "density": 0.5, "sindex": 1.0}
    with write_run(read(tmp_path, text), tmp_path / "2.audit", own_signals=own) as run:
        assert set(run.signals()) == {"recorded:perplexity", "recorded:sindex", "density"}
        run.add_signals([SignalValue("a", "perplexity", 9.0), SignalValue("a", "sindex", 1.0)])
        assert json.loads(exported(run, computed_signals=True).splitlines()[1]) == json.loads(text.splitlines()[1])


def test_embeddings_and_calls_come_back_so_that_no_model_is_needed(tmp_path: Path):
    first = RunFile.create(
        tmp_path / "1.audit",
        model="m",
        question_source="q",
        questions=[Question("a", "Who?")],
        parameters={"decoding": {}},
    )
    vectors = {"Who?": [1.0, 0.0], "A": [0.6, 0.8], "B": [0.0, 1.0]}
    calls = [
        ModelCall("a", "p_true", 0.25, tokens=9, seconds=0.5),
        ModelCall("a", "verbalized", None, "no number", "I am sure."),
    ]
    with first:
        for index, answer in enumerate(["A", "B", "A"], start=-1):
            first.add_generation(Generation("a", index, answer, answer, GenerationState.VALID))
        first.add_embeddings("e#1", {text: np.array(vector, np.float32) for text, vector in vectors.items()})
        first.add_calls(calls)
        first.scoring = Scoring(embedder_source=JobEmbedder("e", "e#1", "/models/e", calibrated_threshold=0.75))
        without, text = exported(first), exported(first, embeddings=True)
    assert "embedding" not in without
    assert text.count('"embedding"') == 3, "each text's vector is written once"
    with write_run(read(tmp_path, text), tmp_path / "2.audit") as run:
        found = run.embeddings("e#1", vectors)
        assert {key: vector.tolist() for key, vector in found.items()} == {
            key: pytest.approx(vector, abs=1e-3) for key, vector in vectors.items()
        }
        assert run.embedders == {"e#1": EmbedderUsed("e", 0.75)}
        assert list(run.calls()["a"].values()) == calls


def test_embeddings_of_different_lengths_are_refused(tmp_path: Path):
    two, three = ("float16:" + base64.b64encode(np.ones(size, "<f2").tobytes()).decode() for size in (2, 3))
    samples = [{"text": "A", "embedding": two}, {"text": "B", "embedding": three}]
    message = refused(tmp_path, {"question": "Who?", "samples": samples})
    assert message.endswith("holds embeddings of different lengths")


@pytest.mark.parametrize("embedding", ["AAAAAAAA", "float16:no base64", "float16:AAAA", "float16:", [0.1, 0.2]])
@pytest.mark.parametrize("calls", [{"p_true": {"value": "yes"}}, {"p_true": {"odds": 3}}, ["p_true"]])
def test_what_another_writer_means_by_embedding_and_calls_is_kept(tmp_path: Path, embedding: object, calls: object):
    line = {"id": "a", "question": "Who?", "calls": calls, "samples": [{"text": "A", "embedding": embedding}]}
    with write_run(read(tmp_path, line), tmp_path / "1.audit") as run:
        assert run.calls() == {}
        assert json.loads(exported(run).splitlines()[1]) == line


def test_token_figures_are_rounded_on_demand_and_token_ids_never(tmp_path: Path):
    line = {"id": "a", "question": "Who?", "greedy": {"text": "A", "token_ids": [123456], "token_entropies": [1.23456]}}
    with write_run(read(tmp_path, line), tmp_path / "1.audit") as run:
        greedy = json.loads(exported(run, digits=3).splitlines()[1])["greedy"]
    assert (greedy["token_ids"], greedy["token_entropies"]) == ([123456], [1.23])


# The files of the reference


def test_the_recorded_labels_and_arrays_of_the_reference_are_read(tmp_path: Path):
    expected = json.loads(reference("expected.json").read_text(encoding="utf-8"))["qwen3-14b"]
    recorded = read_recorded(reference("qwen3-14b.greedy.jsonl"), parse_answer=parse)
    assert recorded.model == "Qwen3-14B-4bit"
    assert recorded.directions == {"density": -1, "density_full_pool": -1}
    labels = Counter(record.label.value for record in recorded.records if record.label)
    assert labels == expected["labels"]
    with write_run(recorded, tmp_path / "r.audit") as run:
        again = json.loads(exported(run).splitlines()[1])
    first = json.loads(reference("qwen3-14b.greedy.jsonl").read_text(encoding="utf-8").splitlines()[1])
    assert again == first


@pytest.mark.parametrize(("keep_thinking", "valid", "empty"), [(False, 26, 474), (True, 500, 0)])
def test_the_samples_of_the_reference_hold_the_answers_they_hold(keep_thinking: bool, valid: int, empty: int):
    # 26 of the 500 samples hold anything after `</think>`: reference/README.md.
    path = reference("minimax-m2.7.samples.jsonl")
    recorded = read_recorded(path, parse_answer=None if keep_thinking else parse)
    states = Counter(sample.state for record in recorded.records for sample in record.samples)
    assert (states[GenerationState.VALID], states[GenerationState.EMPTY]) == (valid, empty)
