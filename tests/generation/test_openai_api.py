import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from homogaudit.errors import ContextTooShortError, EngineError, ModelError
from homogaudit.events import JobJudge
from homogaudit.generation.generator import DrawRequest
from homogaudit.generation.openai_api import OpenAIGenerator
from homogaudit.generation.openai_client import RetryPolicy
from homogaudit.generation.server_keys import KEY_VARIABLES
from homogaudit.generation.server_models import server_model
from homogaudit.labels.model_judge import default_prompt
from homogaudit.pipeline.calls import greedy_replies
from homogaudit.pipeline.judging import Judgement, ask_judge
from homogaudit.records import GREEDY, Decoding, Generation, GenerationState, Prompting, Question, SampleSet

from ..patience import PATIENCE

PATIENT = RetryPolicy(
    attempts=8, first_seconds=0.001, most_seconds=0.05, timeout_seconds=PATIENCE, connect_seconds=PATIENCE
)
SOON_GONE = replace(PATIENT, attempts=4)
HANGS = replace(PATIENT, attempts=20, timeout_seconds=1.0)
"""For servers that leave a request without an answer: a good one may be late as often as a loaded machine likes."""
DECODING = Decoding(samples=4, max_tokens=6, greedy_max_tokens=6)
QUESTIONS = 6


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make() -> Iterator[Callable[..., OpenAIGenerator]]:
    made: list[OpenAIGenerator] = []

    def build(*servers: Any, policy: RetryPolicy = PATIENT, mode: str = "auto", **options: Any) -> OpenAIGenerator:
        location = ",".join(server.url for server in servers)
        prompting = Prompting(mode=mode)
        generator = OpenAIGenerator(location, prompting, now=datetime(2026, 1, 1, tzinfo=UTC), policy=policy, **options)
        made.append(generator)
        for server in servers:
            server.is_probed = True
        return generator

    yield build
    for generator in made:
        generator.close()


def _requests(generator: OpenAIGenerator, questions: int = QUESTIONS) -> list[DrawRequest]:
    indexes = (GREEDY, *range(DECODING.samples))
    return [DrawRequest(f"q{i}", generator.prompt(f"Question {i}?"), indexes) for i in range(questions)]


def _drawn(generator: OpenAIGenerator, decoding: Decoding = DECODING, questions: int = QUESTIONS) -> list[Generation]:
    drawing = generator.draw(_requests(generator, questions), decoding)
    found: list[Generation] = []
    while not drawing.is_done:
        found += drawing.step()
    return found


def _keys(found: Sequence[Generation]) -> Counter[tuple[str, int]]:
    return Counter((x.question_id, x.sample_index) for x in found)


def _each_once() -> Counter[tuple[str, int]]:
    return Counter((f"q{i}", index) for i in range(QUESTIONS) for index in (GREEDY, *range(DECODING.samples)))


@pytest.mark.parametrize("honours_n", [True, False])
@pytest.mark.parametrize("fault", ["cut", "half", "html", "429", "500", "no_choices", "fewer", "duplicate"])
def test_every_draw_arrives_once_whatever_goes_wrong_every_third_time(
    faults: ModuleType, make: Callable[..., OpenAIGenerator], fault: str, honours_n: bool
) -> None:
    ignores = frozenset() if honours_n else frozenset({"n"})
    with faults.FaultServer(lambda number, _: fault if number % 3 == 0 else None, ignores=ignores) as server:
        found = _drawn(make(server))
    assert _keys(found) == _each_once()
    assert all(x.state is GenerationState.VALID for x in found)


@pytest.mark.parametrize("fault", [None, "500", "fewer"])
def test_samples_that_are_left_for_later_are_asked_for_where_they_are_wanted(
    faults: ModuleType, make: Callable[..., OpenAIGenerator], fault: str | None
) -> None:
    with faults.FaultServer(lambda number, _: fault if number % 3 == 0 else None) as server:
        generator = make(server)
        first = (GREEDY, 0, 1)
        requests = [replace(one, sample_indexes=first, later=(2, 3)) for one in _requests(generator)]
        drawing = generator.draw(requests, DECODING)
        found: list[Generation] = []
        while not drawing.is_done:
            for generation in drawing.step():
                found.append(generation)
                its = [x for x in found if x.question_id == generation.question_id]
                if len(its) == len(first) and generation.question_id in ("q1", "q4"):
                    drawing.draw_later(generation.question_id)
    wanted = {f"q{i}": (*first, *((2, 3) if i in (1, 4) else ())) for i in range(QUESTIONS)}
    assert _keys(found) == Counter((name, index) for name, indexes in wanted.items() for index in indexes)


def test_a_server_that_hangs_is_asked_again(faults: ModuleType, make: Callable[..., OpenAIGenerator]) -> None:
    with faults.FaultServer(lambda number, _: "hang" if number in (1, 2) else None) as server:
        generator = make(server, policy=HANGS)
        found = _drawn(generator)
        assert _keys(found) == _each_once()
        assert any("does not answer in time" in warning for warning in generator.facts.warnings)
        assert any("answers again" in warning for warning in generator.facts.warnings)


def test_the_same_draws_come_out_with_and_without_faults(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    texts: list[dict[tuple[str, int], str]] = []
    for fault in (None, "500"):
        with faults.FaultServer(lambda number, _, fault=fault: fault if number % 2 else None) as server:
            texts.append({(x.question_id, x.sample_index): x.text for x in _drawn(make(server))})
    assert texts[0] == texts[1]


def test_a_server_that_is_gone_is_one_clear_error(faults: ModuleType, make: Callable[..., OpenAIGenerator]) -> None:
    with faults.FaultServer(lambda number, _: "cut" if number > 3 else None) as server:
        generator = make(server, policy=SOON_GONE)
        with pytest.raises(EngineError, match="cut the connection") as raised:
            _drawn(generator)
    assert raised.value.hint is not None and "same command again" in raised.value.hint
    assert raised.value.exit_code == 3


def test_a_server_that_never_gives_an_answer_is_one_clear_error(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    with faults.FaultServer(lambda *_: "no_choices") as server:
        generator = make(server)
        with pytest.raises(ModelError, match="refuses every request: a reply without an answer, 5 times"):
            _drawn(generator)


def test_a_longer_wait_than_allowed_stops_the_run(faults: ModuleType, make: Callable[..., OpenAIGenerator]) -> None:
    with faults.FaultServer(lambda *_: "429", retry_after="3600") as server:
        generator = make(server)
        with pytest.raises(EngineError, match=r"slow down.*asks to wait for 3,600 s"):
            _drawn(generator)


def test_a_server_that_wants_to_be_left_alone_for_long_leaves_its_work_to_the_other(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    with faults.FaultServer() as healthy, faults.FaultServer(lambda *_: "429", retry_after="3600") as busy:
        generator = make(healthy, busy)
        probed = len(busy.requests)
        assert _keys(_drawn(generator)) == _each_once()
        (told,) = (text for text in generator.facts.warnings if "3,600 s" in text)
        assert "the other servers continue" in told
        # No more than the requests that were under way when the first of them was answered.
        assert len(busy.requests) - probed <= 16


def test_replies_about_answers_do_not_enter_the_bounds_of_their_entropies(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    with faults.FaultServer() as server:
        generator = make(server)
        prompts = {"q0": generator.prompt("How sure are you?")}
        assert [x for x in greedy_replies(generator, prompts, 16, thinking_tokens=50) if x is not None]
        assert generator.facts.details["token_entropy_bounds"] == {}
        found = _drawn(generator)
        assert [x for x in greedy_replies(generator, prompts, 16, thinking_tokens=50) if x is not None]
        bounds = generator.facts.details["token_entropy_bounds"]
    assert bounds["greedy"]["tokens"] == sum(x.tokens or 0 for x in found if x.sample_index == GREEDY)


def test_a_reply_that_was_cut_in_its_thinking_is_asked_for_once_more(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    with faults.FaultServer(thinks=20) as server:
        generator = make(server)
        asked = len(server.requests)
        prompts = {f"q{i}": generator.prompt(f"How sure are you of {i}?") for i in range(3)}
        replies = [x for x in greedy_replies(generator, prompts, 16, thinking_tokens=50) if x is not None]
        limits = [request["max_tokens"] for request in server.requests[asked:]]
    assert limits.count(16) == limits.count(50) == 3 == len(replies)
    assert {x.generation.answer for x in replies} == {"w00 w00 w00 w00"}
    assert {x.generation.question_id for x in replies} == set(prompts)


def test_a_reply_that_never_comes_out_of_its_thinking_is_asked_for_no_third_time(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    with faults.FaultServer(thinks=100) as server:
        generator = make(server)
        asked = len(server.requests)
        prompts = {"q0": generator.prompt("How sure are you?")}
        for limit in (50, 5000):
            # The second one is more than the server's context holds.
            (reply,) = (x for x in greedy_replies(generator, prompts, 16, thinking_tokens=limit) if x is not None)
            assert reply.generation.state is GenerationState.THINKING_UNCLOSED
        assert [request["max_tokens"] for request in server.requests[asked:]] == [16, 50, 16]


def test_no_server_at_all_is_told_before_anything_is_drawn(make: Callable[..., OpenAIGenerator]) -> None:
    class Nowhere:
        url = "http://127.0.0.1:9/v1"

    with pytest.raises(ModelError, match="cannot be reached") as raised:
        make(Nowhere(), policy=SOON_GONE)
    assert raised.value.hint is not None and "start it first" in raised.value.hint


def test_a_wrong_key_is_one_error_that_does_not_show_it(
    faults: ModuleType, make: Callable[..., OpenAIGenerator], monkeypatch: pytest.MonkeyPatch
) -> None:
    with faults.FaultServer(key="right-one") as server:
        with pytest.raises(ModelError, match="requires a key"):
            make(server)
        monkeypatch.setenv("HOMOGAUDIT_API_KEY", "sk-wrong-one")
        with pytest.raises(ModelError, match="does not accept the key") as raised:
            make(server)
        assert "sk-wrong-one" not in f"{raised.value} {raised.value.hint} {raised.value.__cause__!r}"
        assert raised.value.hint is not None and "HOMOGAUDIT_API_KEY" in raised.value.hint
        monkeypatch.setenv("HOMOGAUDIT_API_KEY", "right-one")
        assert "right-one" not in repr(make(server).facts)


def test_an_answer_that_the_server_refuses_has_failed_and_the_others_go_on(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    def refuse(number: int, request: dict[str, Any]) -> str | None:
        text = str(request["messages"])
        return "refuse" if "Question 2?" in text else "filter" if "Question 4?" in text else None

    with faults.FaultServer(refuse) as server:
        found = _drawn(make(server))
    assert _keys(found) == _each_once()
    failed = {x.question_id for x in found if x.state is GenerationState.ERROR}
    assert failed == {"q2", "q4"}
    assert all(x.answer == "" and not x.is_valid for x in found if x.question_id in failed)
    assert {x.text for x in found if x.question_id == "q2"} == {"`this prompt breaks our rules (content_filter)`"}


def test_a_server_that_refuses_everything_is_not_a_run_of_failures(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    with faults.FaultServer(lambda _, request: "refuse" if "Question" in str(request) else None) as server:
        generator = make(server)
        with pytest.raises(ModelError, match="refuses every request"):
            _drawn(generator, questions=30)


@pytest.mark.parametrize(
    ("fault", "said"), [("refuse", "refuses every request"), ("403", "status 403: `no access"), ("404", "status 404")]
)
def test_a_server_that_refuses_everything_after_some_answers_ends_the_run_and_stores_no_failures(
    faults: ModuleType, make: Callable[..., OpenAIGenerator], fault: str, said: str
) -> None:
    with faults.FaultServer(lambda number, _: fault if number >= 5 else None) as server:
        # One after the other, so that none is answered beside one that is refused.
        generator = make(server, concurrency=1)
        drawing = generator.draw(_requests(generator, 40), DECODING)
        found: list[Generation] = []
        with pytest.raises(ModelError, match=said) as raised:
            while not drawing.is_done:
                found += drawing.step()
    assert found and all(x.state is GenerationState.VALID for x in found)
    assert raised.value.hint is not None and "run the same command again" in raised.value.hint


def test_many_quick_refusals_before_the_first_slow_answer_end_no_run(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    seen: Counter[str] = Counter()

    def slow(_: int, request: dict[str, Any]) -> str | None:
        text = str(request)
        seen[text] += 1
        if "Question 0?" in text or "Question 39?" in text:
            # Answered at the second attempt, when all the others have been refused.
            return "hang" if seen[text] == 1 else None
        return "refuse" if "Question" in text else None

    with faults.FaultServer(slow) as server:
        generator = make(server, concurrency=80, policy=HANGS)
        requests = [DrawRequest(f"q{i}", generator.prompt(f"Question {i}?"), (GREEDY,)) for i in range(40)]
        drawing = generator.draw(requests, DECODING)
        found: list[Generation] = []
        while not drawing.is_done:
            found += drawing.step()
    assert {x.question_id for x in found if x.state is GenerationState.VALID} == {"q0", "q39"}
    assert len(found) == 40


def test_a_judge_that_comes_to_refuse_everything_leaves_no_judgements_of_it(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    judge = JobJudge("model:toy", "model:toy#1", "server", "nowhere", default_prompt(), "0" * 64)
    answered = [
        SampleSet(
            Question(f"q{i}", f"What is {i}?", answers=("one",)),
            Generation(f"q{i}", GREEDY, "two", "two", GenerationState.VALID),
            [],
        )
        for i in range(40)
    ]
    with faults.FaultServer(lambda number, _: "refuse" if number >= 5 else None) as server:
        found: list[Judgement] = []
        with pytest.raises(ModelError, match="refuses every request"):
            for judgement in ask_judge(make(server, concurrency=1), judge, answered):
                if judgement is not None:
                    found.append(judgement)
    assert 0 < len(found) <= 5
    assert all(x.label.reason.startswith("the judge's reply holds no verdict") for x in found)


def test_refused_questions_between_answered_ones_have_failed_however_many_they_are(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    def odd(_: int, request: dict[str, Any]) -> str | None:
        text = str(request["messages"])
        return "flagged" if any(f"Question {number}?" in text for number in range(1, 60, 2)) else None

    with faults.FaultServer(odd) as server:
        found = _drawn(make(server, concurrency=1), questions=60)
    # Half of 60 questions, with four samples and a greedy answer each.
    assert sum(x.state is GenerationState.ERROR for x in found) == 150
    assert len(found) == 300 == len(_keys(found))


@pytest.mark.parametrize("fault", ["no_logprobs", "short_logprobs"])
def test_wrong_log_probabilities_leave_the_answer_without_statistics(
    faults: ModuleType, make: Callable[..., OpenAIGenerator], fault: str
) -> None:
    with faults.FaultServer(lambda _, request: fault if "Question" in str(request) else None) as server:
        generator = make(server)
        found = _drawn(generator)
        missing = generator.facts.details["without_token_statistics"]
    assert all(x.statistics.logprobs is None and x.statistics.entropies is None for x in found)
    assert sum(missing.values()) == len(found)
    assert ("another length" in next(iter(missing))) == (fault == "short_logprobs")


@pytest.mark.parametrize(("mode", "displaces"), [("chat", False), ("base", False), ("chat", True)])
def test_log_probabilities_are_those_of_the_model_and_entropies_bound_the_exact_one(
    faults: ModuleType, make: Callable[..., OpenAIGenerator], mode: str, displaces: bool
) -> None:
    with faults.FaultServer(displaces=displaces) as server:
        generator = make(server, mode=mode)
        found = _drawn(generator)
        bounds = generator.facts.details["token_entropy_bounds"]
    for generation in found:
        words = generation.text.split()
        assert generation.tokens == len(words) == 4
        expected = [faults.LOGPROBS[int(word[1:])] for word in words]
        assert generation.statistics.logprobs == pytest.approx(expected, abs=1e-5)
        assert generation.statistics.token_ids is None
        if generation.sample_index == GREEDY:
            assert generation.statistics.entropies is not None
            assert (generation.statistics.entropies <= faults.ENTROPY + 1e-5).all()
    sampled = np.concatenate([x.statistics.entropies for x in found if x.sample_index != GREEDY])  # type: ignore[misc]
    error = sampled.std(ddof=1) / np.sqrt(len(sampled))
    assert abs(sampled.mean() - faults.ENTROPY) < 3 * error
    # One distribution, one head: the means are those of each token.
    for kind in ("greedy", "samples"):
        assert bounds[kind]["low"] < faults.ENTROPY < bounds[kind]["high"]


def test_tempered_log_probabilities_are_refused(faults: ModuleType, make: Callable[..., OpenAIGenerator]) -> None:
    with faults.FaultServer(tempered=True) as server:
        generator = make(server)
        found = _drawn(generator, Decoding(samples=4, temperature=0.5, max_tokens=6, greedy_max_tokens=6))
        warnings = generator.facts.warnings
    assert all(x.statistics.logprobs is None for x in found)
    assert any("greedy" in warning for warning in warnings) and any("samples" in warning for warning in warnings)


def test_untempered_log_probabilities_are_kept_at_another_temperature(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    with faults.FaultServer() as server:
        found = _drawn(make(server), Decoding(samples=4, temperature=0.5, max_tokens=6, greedy_max_tokens=6))
    assert all(x.statistics.logprobs is not None for x in found)


def test_every_sampling_parameter_is_sent(faults: ModuleType, make: Callable[..., OpenAIGenerator]) -> None:
    with faults.FaultServer() as server:
        _drawn(make(server), Decoding(samples=4, top_k=7, top_p=0.9, min_p=0.1, max_tokens=6, greedy_max_tokens=5))
        sampled = next(x for x in reversed(server.requests) if x["temperature"] == 1.0)
        greedy = next(x for x in reversed(server.requests) if x["temperature"] == 0.0)
    assert (
        sampled.items()
        >= {
            "top_k": 7,
            "top_p": 0.9,
            "min_p": 0.1,
            "max_tokens": 6,
            "n": 4,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "repetition_penalty": 1.0,
            "stream": False,
            "logprobs": True,
            "top_logprobs": 20,
        }.items()
    )
    assert isinstance(sampled["seed"], int)
    assert greedy.items() >= {"top_k": -1, "top_p": 1.0, "min_p": 0.0, "max_tokens": 5, "n": 1}.items()


def test_requests_that_wait_do_not_start_while_nobody_steps(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    with faults.FaultServer(ignores=frozenset({"n"})) as server:
        generator = make(server, concurrency=2)
        drawing = generator.draw(_requests(generator), DECODING)
        before = len(server.requests)
        found: list[Generation] = []
        while not found:
            found = drawing.step()
        # Those that finished have made room, and yet nothing starts before the next step.
        assert len(server.requests) - before <= 2
        assert drawing.live + len(found) <= 2


def test_one_request_is_made_only_when_it_is_started(faults: ModuleType, make: Callable[..., OpenAIGenerator]) -> None:
    class Lazy(Sequence[DrawRequest]):
        seen = 0

        def __init__(self, requests: Sequence[DrawRequest]) -> None:
            self._requests = requests

        def __len__(self) -> int:
            return 10_000

        def __getitem__(self, index: Any) -> Any:
            self.seen = max(self.seen, index + 1)
            return self._requests[index % len(self._requests)]

    with faults.FaultServer() as server:
        generator = make(server, concurrency=2)
        requests = Lazy(_requests(generator))
        drawing = generator.draw(requests, DECODING)
        for _ in range(5):
            drawing.step()
        assert requests.seen < 100


def test_the_faster_of_two_servers_does_more(faults: ModuleType, make: Callable[..., OpenAIGenerator]) -> None:
    release = threading.Event()

    def slow(number: int, _: dict[str, Any]) -> None:
        if number == 0:
            release.wait(PATIENCE)

    with faults.FaultServer() as fast, faults.FaultServer(slow) as slower:
        generator = make(fast, slower, concurrency=1)
        begun = [len(fast.requests), len(slower.requests)]
        drawing = generator.draw(_requests(generator), DECODING)
        probed = [len(fast.requests), len(slower.requests)]
        found: list[Generation] = []
        while not drawing.is_done:
            found += drawing.step()
            if len(found) > 20:
                release.set()
        done = [len(fast.requests) - probed[0], len(slower.requests) - probed[1]]
        assert begun <= probed
        assert fast.url in generator.facts.device and slower.url in generator.facts.device
    assert _keys(found) == _each_once()
    assert done[0] > 2 * done[1]


def test_a_server_that_dies_leaves_its_work_to_the_other(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    with faults.FaultServer() as healthy, faults.FaultServer(lambda number, _: "cut") as dying:
        generator = make(healthy, dying, policy=SOON_GONE)
        found = _drawn(generator)
        warnings = generator.facts.warnings
        assert any("the other servers continue until it is back" in warning for warning in warnings)
    assert _keys(found) == _each_once()


def test_a_server_that_is_gone_at_the_start_is_left_out_where_another_answers(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    class Nowhere:
        url = "http://127.0.0.1:9/v1"

    with faults.FaultServer() as server:
        generator = make(Nowhere(), server, policy=SOON_GONE)
        assert _keys(_drawn(generator)) == _each_once()
        gone = next(text for text in generator.facts.warnings if "the other servers continue" in text)
        assert "127.0.0.1:9/v1` cannot be reached" in gone
        assert server_model(f"{Nowhere.url},{server.url}", policy=SOON_GONE).name == "toy"


def test_a_server_that_comes_back_with_another_model_is_not_asked(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    ignores = frozenset({"n"})
    with faults.FaultServer(ignores=ignores) as server:
        generator = make(server, policy=SOON_GONE, concurrency=1)
        drawing = generator.draw(_requests(generator), DECODING)
        found = drawing.step()
        port = int(server.url.split(":")[2].split("/")[0])
    while not any("the run waits" in text for text in generator.facts.warnings):
        found += drawing.step()
    with faults.FaultServer(ignores=ignores, port=port, models=("other",)) as other:
        while not any("has another model now: the run waits" in text for text in generator.facts.warnings):
            found += drawing.step()
        assert other.requests == [] and not drawing.is_done
    with faults.FaultServer(ignores=ignores, port=port):
        while not drawing.is_done:
            found += drawing.step()
    assert _keys(found) == _each_once()


def test_answers_longer_than_the_server_s_context_are_told_before_any_is_drawn(
    faults: ModuleType, make: Callable[..., OpenAIGenerator]
) -> None:
    with faults.FaultServer() as server:
        generator = make(server)
        asked = len(server.requests)
        with pytest.raises(ContextTooShortError, match="512 tokens leaves no room for a prompt"):
            generator.draw(_requests(generator), Decoding(max_tokens=6, greedy_max_tokens=512))
        assert len(server.requests) == asked


def test_the_budget_of_tokens_ends_the_run(faults: ModuleType, make: Callable[..., OpenAIGenerator]) -> None:
    with faults.FaultServer(ignores=frozenset({"n"})) as server:
        generator = make(server, token_budget=60, concurrency=1)
        with pytest.raises(EngineError, match="`--max-cost`"):
            _drawn(generator)


def test_the_next_token_is_read_from_the_likeliest(faults: ModuleType, make: Callable[..., OpenAIGenerator]) -> None:
    with faults.FaultServer() as server:
        generator = make(server)
        prompts = [generator.prompt(f"Question {i}?") for i in range(40)]
        found = [x for x in generator.next_tokens(prompts, ("w00", "w03")) if x is not None]
        (unknown,) = (x for x in generator.next_tokens(prompts[:1], ("w39",)) if x is not None)
    assert len(found) == 40
    assert all(x.texts == (" w00", " w03") and x.prompt_tokens == 7 for x in found)
    assert found[0].logprobs == pytest.approx(faults.LOGPROBS[[0, 3]])
    assert "among the 20 likeliest" in unknown.reason
