"""What all the answers of a run say of one of them, where no template tells."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from homogaudit.pipeline.thinking_states import ThinkingStates
from homogaudit.records import GREEDY, Generation, GenerationState, Question
from homogaudit.store import RunFile

CLOSES = "hm\n</think>\nAral"
NEVER = "hm, so"

RECORDED: dict[str, Any] = {"recorded": True, "decoding": {}, "keep_thinking": False}
SERVED: dict[str, Any] = {"model": {"kind": "server"}, "decoding": {}}

Make = Callable[..., RunFile]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    opened: list[RunFile] = []

    def made(texts: Sequence[str], parameters: dict[str, Any] = RECORDED, cut: Sequence[str] = (), **facts: Any):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.audit"
        run = RunFile.create(
            path, model="m", question_source="q", questions=[Question("a", "?")], parameters=parameters
        )
        run.set_meta("given_answers", facts.get("given_answers", {}))
        for index, text in enumerate([*texts, *cut]):
            state = GenerationState.VALID if text.strip() else GenerationState.EMPTY
            reason = "length" if index >= len(texts) else None
            run.add_generation(Generation("a", index - 1, text, text.strip(), state, reason))
        return run

    yield made
    for run in opened:
        run.close()


def states(run: RunFile) -> list[str]:
    return [draw.answer or draw.state.value for draw in run.raw_draws()]


@pytest.mark.parametrize("parameters", [RECORDED, SERVED])
def test_where_half_of_the_answers_close_what_they_never_opened_the_others_are_thoughts(
    make: Make, parameters: dict[str, Any]
) -> None:
    run = make([CLOSES] * 3 + [NEVER] * 3, parameters)
    settled = ThinkingStates(run).settle()
    assert states(run) == ["Aral"] * 3 + ["thinking_unclosed"] * 3
    assert settled.changed == ("a",)
    assert settled.lines[0] == "thinking is read as `think`: 3 answers hold such markers"
    assert settled.lines[1].startswith("3 of 6 finished answers close thinking that they never opened: it began in")


@pytest.mark.parametrize(("closing", "others"), [(2, 0), (2, 2), (3, 4)])
def test_below_that_they_are_split_and_the_others_stay(make: Make, closing: int, others: int) -> None:
    run = make([CLOSES] * closing + [NEVER] * others)
    settled = ThinkingStates(run).settle()
    assert states(run) == ["Aral"] * closing + [NEVER] * others
    assert f"{closing} of {closing + others} finished answers" in settled.lines[1]
    assert "the others are taken as they are" in settled.lines[1]


def test_answers_that_were_cut_count_for_neither_side(make: Make) -> None:
    run = make([CLOSES] * 3, cut=[NEVER] * 9)
    ThinkingStates(run).settle()
    assert states(run) == ["Aral"] * 3 + ["thinking_unclosed"] * 9


def test_answers_that_open_their_thinking_say_nothing_of_the_prompt(make: Make) -> None:
    run = make([f"<think>{CLOSES}"] * 5 + [NEVER])
    settled = ThinkingStates(run).settle()
    assert states(run) == ["Aral"] * 5 + [NEVER]
    assert settled.lines == ("thinking is read as `think`: 5 answers hold such markers",)


def test_an_answer_of_nothing_stays_empty(make: Make) -> None:
    run = make([CLOSES] * 3 + [" "])
    ThinkingStates(run).settle()
    assert states(run)[-1] == "empty"


def test_plain_words_are_markers_where_another_answer_shows_it(make: Make) -> None:
    whole, cut = "Here is my thought process: hm. Here is my response: Aral", "Here is my thought process: hm"
    alone, both = make([cut, "Aral"]), make([whole, cut])
    for run in (alone, both):
        ThinkingStates(run).settle()
    assert states(alone) == [cut, "Aral"]
    assert states(both) == ["Aral", "thinking_unclosed"]


def test_the_order_in_which_answers_come_changes_nothing(make: Make) -> None:
    texts = [CLOSES, NEVER, CLOSES, NEVER, NEVER, CLOSES]
    found: list[list[str]] = []
    for order in (texts, texts[::-1]):
        run = make([], SERVED)
        live = ThinkingStates(run)
        for number, text in enumerate(order):
            drawn = Generation("a", number - 1, text, text, GenerationState.VALID, "stop")
            run.add_generation(live.read(drawn))
            if live.is_due:
                live.settle()
        live.settle()
        found.append(states(run))
        # A session that comes later finds nothing to change.
        assert ThinkingStates(run).settle().changed == ()
    assert found[0] == found[1][::-1]
    assert found[0].count("thinking_unclosed") == 3


def test_an_answer_that_came_with_the_file_is_not_read_again(make: Make) -> None:
    run = make([CLOSES] * 3 + [NEVER], given_answers={"a": [2]})
    ThinkingStates(run).settle()
    assert states(run) == ["Aral"] * 3 + [NEVER]


def test_a_recorded_run_of_the_first_version_keeps_the_answers_that_were_given(tmp_path: Path) -> None:
    path = tmp_path / "old.audit"
    with RunFile.create(
        path, model="m", question_source="q", questions=[Question("a", "?")], parameters=RECORDED
    ) as run:
        # The second one is what it read itself; the first is not.
        run.add_generation(Generation("a", GREEDY, "[THINK]hm[/THINK]Aral", "B", GenerationState.VALID))
        text = "[THINK]hm[/THINK]Aral"
        run.add_generation(Generation("a", 0, text, text, GenerationState.VALID))
        ThinkingStates(run).settle()
        assert states(run) == ["B", "Aral"]


@pytest.mark.parametrize(
    "parameters", [RECORDED | {"keep_thinking": True}, {"model": {"kind": "gguf"}, "decoding": {}}]
)
def test_what_was_decided_when_it_was_drawn_stays(make: Make, parameters: dict[str, Any]) -> None:
    run = make([CLOSES] * 4, parameters)
    assert ThinkingStates(run).settle().changed == ()
    assert states(run) == [CLOSES] * 4
    assert run.meta("thinking") is None


def test_markers_that_the_user_named_are_stored_with_the_run(make: Make) -> None:
    run = make(["[T]hm[/T]Aral", CLOSES], RECORDED | {"think_markers": ["[T]", "[/T]"]})
    ThinkingStates(run).settle()
    assert states(run) == ["Aral", CLOSES]


def test_control_tokens_at_the_end_of_texts_are_left_out_and_told(make: Make) -> None:
    run = make(["Aral<|im_end|>", "Aral</s>", "<think>hm</think>Aral<|im_end|>", "Aral"])
    settled = ThinkingStates(run).settle()
    assert states(run) == ["Aral"] * 4
    assert settled.lines[-1] == "3 texts end with a control token, `<|im_end|>`, `</s>`, left out of the answer"
    assert settled.lines[-1] in run.meta("thinking")["warnings"]
