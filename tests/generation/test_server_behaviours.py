"""Each behaviour of `server_behaviours` ends with the right answers or one clear line."""

import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homogaudit.cli.app import run_app
from homogaudit.errors import HomogauditError
from homogaudit.generation.generator import DrawRequest
from homogaudit.generation.openai_api import OpenAIGenerator
from homogaudit.generation.openai_client import RetryPolicy
from homogaudit.generation.server_keys import KEY_VARIABLES
from homogaudit.records import GREEDY, Decoding, Generation, Prompting
from homogaudit.store import RunFile

from ..patience import PATIENCE
from .server_behaviours import BEHAVIOURS

POLICY = RetryPolicy(attempts=4, first_seconds=0.001, most_seconds=0.05, timeout_seconds=PATIENCE)
VALID = ("valid", "stop")
ANSWER = re.compile(r"w\d\d( w\d\d){3,}")


@pytest.fixture(autouse=True, scope="module")
def no_key() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in KEY_VARIABLES:
            patch.delenv(name, raising=False)
        yield


@dataclass
class Outcome:
    found: list[Generation]
    asked: list[dict[str, Any]]
    warnings: tuple[str, ...]
    details: dict[str, Any]

    @property
    def greedy(self) -> dict[str, Any]:
        """A request for the first question's greedy answer; they are sent at the same time, so any can come first."""
        asked = [x for x in self.asked if "Question 0" in str(x)]
        return next((x for x in asked if x.get("temperature") != 1.0), asked[0])


@pytest.fixture(scope="module")
def play(faults: ModuleType) -> Callable[..., Outcome]:
    """Return a function that plays a behaviour, once for all tests that look at it."""

    @functools.cache
    def run(name: str, model: str = "", thinking: bool = False, system: str | None = None, limit: int = 40) -> Outcome:
        now, prompting = datetime(2026, 1, 1, tzinfo=UTC), Prompting(thinking=thinking)
        with faults.FaultServer(**BEHAVIOURS[name], is_probed=True) as server:
            generator = OpenAIGenerator(server.url + model, prompting, now=now, policy=POLICY)
            try:
                prompts = [generator.prompt(f"Question {i}?", system) for i in range(2)]
                requests = [DrawRequest(f"q{i}", prompt, (GREEDY, 0, 1)) for i, prompt in enumerate(prompts)]
                drawing = generator.draw(requests, Decoding(samples=2, max_tokens=limit, greedy_max_tokens=limit))
                found: list[Generation] = []
                while not drawing.is_done:
                    found += drawing.step()
                asked = [x for x in server.requests if "Question" in str(x)]
                return Outcome(found, asked, generator.facts.warnings, dict(generator.facts.details))
            finally:
                generator.close()

    return run


LISTS = tuple(name for name in BEHAVIOURS if name.startswith("no list, "))
FAILS = {
    "web page": "answers with a web page in place of JSON",
    "error under 200": "reports `model not loaded`",
    "no choices": "it gives no answer",
    "303 to a login": "answers requests with a redirect to `/login`",
}
UNUSUAL = {
    "more tokens": ("valid", "length"),
    "answer as thinking": ("thinking_unclosed", "stop"),
    "finish reason null": ("valid", None),
    "finish reason unknown": ("valid", None),
    "finish reason tool_calls": ("valid", None),
    "finish reason max_tokens": ("valid", "length"),
    "finish reason model_length": ("valid", "length"),
    "context too short": ("error", None),
    "error inside the choice": ("error", None),
    "web page of a proxy": ("error", None),
    "thoughts kept by the server": ("thinking_unclosed", "length"),
}


SOME = {"no choices for a question"}


@pytest.mark.parametrize("name", [name for name in BEHAVIOURS if name not in {*FAILS, *SOME}])
def test_every_draw_is_stored_for_what_it_is(play: Callable[..., Outcome], name: str) -> None:
    outcome = play(name, model="#toy" if name in LISTS else "")
    assert len(outcome.found) == 6
    assert {(x.state.value, x.finish_reason) for x in outcome.found} == {UNUSUAL.get(name, VALID)}
    if all(x.is_valid for x in outcome.found):
        assert all(ANSWER.fullmatch(x.answer) for x in outcome.found)


@pytest.mark.parametrize(("name", "said"), FAILS.items())
def test_a_server_that_never_answers_is_one_clear_line(play: Callable[..., Outcome], name: str, said: str) -> None:
    with pytest.raises(HomogauditError, match=said) as raised:
        play(name)
    assert raised.value.exit_code == 3


@pytest.mark.parametrize("name", [name for name in BEHAVIOURS if name.startswith("no system role")])
def test_a_system_line_without_a_role_stands_in_the_user_s_turn_and_that_is_said(
    play: Callable[..., Outcome], name: str
) -> None:
    outcome = play(name, system="Be kind.")
    (turn,) = outcome.greedy["messages"]
    assert turn["role"] == "user" and turn["content"].endswith("\n\nQuestion 0?")
    assert "Be kind." in turn["content"] and Prompting().system in turn["content"]
    assert sum("takes no system role" in text for text in outcome.warnings) == 1
    assert outcome.details["system_line"] == "folded into the user's turn"
    assert any("no system role" in text for text in outcome.details["probe_warnings"])


def test_a_system_line_that_changes_no_prompt_is_folded(play: Callable[..., Outcome]) -> None:
    dropped = play("system prompt dropped")
    assert [x["role"] for x in dropped.greedy["messages"]] == ["user"]
    assert any("silently drops the system prompt" in text for text in dropped.warnings)
    for name in ("kept", "in place of the template's", "as long as the template's"):
        kept = play(f"system prompt {name}")
        assert [x["role"] for x in kept.greedy["messages"]] == ["system", "user"] and kept.warnings == ()


@pytest.mark.parametrize(
    ("name", "temperature"),
    [
        ("good", 0.0),
        ("temperature 0, 400", 1e-6),
        ("temperature 0, 500", 1e-6),
        ("temperature from 0.07", 0.07),
        ("temperature 1 alone", 1.0),
        ("no temperature", None),
        ("text-generation-inference", 1e-6),
        ("no system role, no temperature 0, no few tokens", 1e-6),
    ],
)
def test_greedy_answers_are_asked_with_the_lowest_temperature_and_marked_where_that_is_not_0(
    play: Callable[..., Outcome], name: str, temperature: float | None
) -> None:
    outcome = play(name)
    assert outcome.greedy.get("temperature") == temperature
    assert outcome.details["greedy_temperature"] == temperature
    marks = [text for text in outcome.details["probe_warnings"] if "tokens" in text and "are those of a draw" in text]
    assert len(marks) == (temperature != 0.0)
    assert all("`token_entropy_mean`" in text and "`perplexity`" in text for text in marks)


def test_signals_that_no_token_gives_are_not_spoken_of(play: Callable[..., Outcome]) -> None:
    (mark,) = (x for x in play("OpenAI's thinking models").details["probe_warnings"] if "greedy answers" in x)
    assert mark == "the server refuses temperature 0: greedy answers are drawn at T = 1, the lowest that it accepts"


def test_a_question_that_gets_no_answer_fails_and_the_others_do_not(play: Callable[..., Outcome]) -> None:
    found = {(x.question_id, x.sample_index): x for x in play("no choices for a question").found}
    assert len(found) == 6
    assert all(x.state.value == ("error" if question == "q1" else "valid") for (question, _), x in found.items())
    assert found["q1", 0].text == "a reply without an answer, 5 times"


def test_a_refusal_without_words_tells_its_status(play: Callable[..., Outcome]) -> None:
    text = play("web page of a proxy").found[0].text
    assert text == "`status 413 and a web page, 413 Request Entity Too Large`"
    assert play("error inside the choice").found[0].text.startswith("`the provider refuses this prompt")


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("at least 16 tokens", 16),
        ("more tokens", 32),
        ("at least 16 tokens, unnamed", 16),
        ("more tokens, unsaid", 64),
        ("no system role, no temperature 0, no few tokens", 16),
    ],
)
def test_no_request_asks_for_fewer_tokens_than_the_server_wants(
    play: Callable[..., Outcome], name: str, least: int
) -> None:
    outcome = play(name)
    assert outcome.details["least_tokens"] == least
    assert all(x.statistics.logprobs is not None for x in outcome.found)


SWITCHES = {
    "thinking off by template": {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
    "thinking off by think": {"think": False},
    "thinking off by effort": {"reasoning_effort": "none"},
    "thinking off by reasoning": {"reasoning": {"enabled": False}},
    "thinking off by type": {"thinking": {"type": "disabled"}},
    "thinking off by enable_thinking": {"enable_thinking": False},
    "thinking off, others refused": {"reasoning_effort": "none"},
}
ALL_SWITCHES = {name for switch in SWITCHES.values() for name in switch}


@pytest.mark.parametrize("name", SWITCHES)
def test_thinking_is_switched_off_in_the_server_s_own_words_alone(play: Callable[..., Outcome], name: str) -> None:
    outcome = play(name)
    switch = SWITCHES[name]
    assert all({x: request[x] for x in ALL_SWITCHES if x in request} == switch for request in outcome.asked)
    assert all("<think>" not in x.text for x in outcome.found)
    assert any("thinking is switched off" in text for text in outcome.details["probe_warnings"])
    assert outcome.details["thinking"].startswith("switched off with `")


@pytest.mark.parametrize("name", ["good", "always thinks", "always thinks, refuses"])
def test_no_switch_is_sent_that_does_not_help(play: Callable[..., Outcome], name: str) -> None:
    outcome = play(name)
    assert not any(ALL_SWITCHES & request.keys() for request in outcome.asked)
    told = [text for text in outcome.warnings if "no way to switch that off" in text]
    assert len(told) == (name != "good")


def test_a_model_that_always_thinks_is_asked_to_think_less(play: Callable[..., Outcome]) -> None:
    outcome = play("thinks in the text")
    assert {request.get("reasoning_effort") for request in outcome.asked} == {"low"}
    assert outcome.details["thinking"] == "less with `reasoning_effort: low`, which is as far as it goes"
    assert all(x.text.count("hm") == 20 for x in outcome.found)


def test_thinking_that_is_wanted_is_left_alone(play: Callable[..., Outcome]) -> None:
    outcome = play("thinking off by effort", thinking=True)
    assert not any(ALL_SWITCHES & request.keys() for request in outcome.asked)
    assert all(x.text.startswith("<think>") and x.is_valid for x in outcome.found)
    assert outcome.details["thinking"] == "left on by `--thinking`"


def test_an_answer_that_arrives_as_thinking_is_one_only_where_thinking_is_known_to_be_off(
    play: Callable[..., Outcome],
) -> None:
    off, on = play("answer as thinking, thinking off"), play("answer as thinking")
    assert all(x.is_valid and "<think>" not in x.text for x in off.found)
    assert any("taken as the answers" in text for text in off.details["probe_warnings"])
    assert all(x.answer == "" and x.text.startswith("<think>") for x in on.found)
    wanted = play("answer as thinking, thinking off", thinking=True)
    assert all(x.is_valid and x.text.startswith("<think>") for x in wanted.found)


def test_an_answer_that_was_cut_is_no_answer_where_it_arrives_as_thinking(play: Callable[..., Outcome]) -> None:
    outcome = play("answer as thinking, thinking off", limit=3)
    assert {(x.state.value, x.finish_reason) for x in outcome.found} == {("thinking_unclosed", "length")}


def test_what_a_500_names_is_left_out_and_nothing_else(play: Callable[..., Outcome]) -> None:
    outcome = play("500 names logprobs")
    assert "logprobs" not in outcome.greedy and "seed" in outcome.greedy and "top_k" in outcome.greedy
    for name in ("bare 500 for the seed", "bare 400 for the seed"):
        outcome = play(name)
        assert "seed" not in outcome.greedy
        assert outcome.greedy.keys() >= {"logprobs", "top_k", "min_p", "temperature", "top_p", "presence_penalty"}


def test_parameters_have_the_names_that_their_api_gives_them(play: Callable[..., Outcome]) -> None:
    assert play("Mistral's API").greedy.keys() >= {"random_seed", "temperature", "top_p", "frequency_penalty"}
    thinking = play("OpenAI's thinking models").greedy
    assert thinking.keys() >= {"max_completion_tokens", "seed"} and "max_tokens" not in thinking
    assert "top_p" not in play("Anthropic's endpoint").greedy
    assert "presence_penalty" not in play("Google's endpoint").greedy


# The real command

SHORT = ["-n", "2", "--max-tokens", "40", "--no-embedder", "--signals", "token_entropy_mean", "--json"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "questions.jsonl").write_text('{"question": "What do bees make?"}\n{"question": "Where is Rome?"}\n')
    return tmp_path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no system role, 500", "takes no system role"),
        ("temperature 0, 400", "T = 1e-06"),
        ("thinking off by effort", "thinking is switched off with `reasoning_effort: none`"),
        ("answer as thinking, thinking off", "taken as the answers"),
        ("event stream", None),
        ("OpenAI's thinking models", "at T = 1, the lowest"),
    ],
)
def test_the_command_stores_the_answers_and_the_report_says_what_was_found(
    faults: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str], name: str, said: str | None
) -> None:
    with faults.FaultServer(**BEHAVIOURS[name]) as server:
        assert run_app(["run", server.url, "questions.jsonl", "-o", "run.audit", *SHORT]) == 0
    captured = capsys.readouterr()
    warnings = json.loads(captured.out)["validity"]["warnings"]
    assert said is None or (any(said in text for text in warnings) and said in captured.err)
    with RunFile.open(folder / "run.audit") as run:
        drawn = [x for s in run.sample_sets() for x in (s.greedy, *s.samples) if x is not None]
    assert len(drawn) == 6 and all(ANSWER.fullmatch(x.answer) for x in drawn)
