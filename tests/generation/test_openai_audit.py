"""The pipeline over servers that misbehave: what is stored, what is told, and what a resumed run repeats."""

import json
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from homogaudit.errors import EngineError
from homogaudit.events import (
    Event,
    GenerationFailed,
    GenerationFinished,
    Job,
    JobModel,
    QuestionScored,
    RunFinished,
    Scoring,
    Warning,
)
from homogaudit.generation.openai_api import OpenAIGenerator
from homogaudit.generation.openai_client import RetryPolicy
from homogaudit.generation.server_keys import KEY_VARIABLES
from homogaudit.launch.until_decided import continue_early
from homogaudit.pipeline import Audit
from homogaudit.records import GREEDY, ClusteringMethod, Decoding, GenerationState, Prompting, Question
from homogaudit.report.build import build
from homogaudit.report.json import dumps, schema
from homogaudit.report.markdown import to_markdown
from homogaudit.report.records import EntropyBounds
from homogaudit.store import RunFile, RunState
from homogaudit.store.rate_only import RateOnly

from ..patience import PATIENCE

SAMPLES = 3
JACCARD = ClusteringMethod("jaccard", "single", 0.1)
QUESTIONS = [Question(f"q{number}", f"Question {number}?") for number in range(4)]
POLICY = RetryPolicy(attempts=3, first_seconds=0.001, most_seconds=0.01, timeout_seconds=PATIENCE)


class Running:
    is_cancelled = False
    is_paused = False

    def wait_while_paused(self) -> None:
        raise AssertionError("nobody pauses here")

    def take_snapshot_request(self) -> bool:
        return False


@pytest.fixture
def run(make_run: Callable[..., RunFile], monkeypatch: pytest.MonkeyPatch) -> Iterable[RunFile]:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    decoding = Decoding(samples=SAMPLES, max_tokens=6, greedy_max_tokens=6)
    parameters: dict[str, Any] = {"decoding": asdict(decoding), "prompting": asdict(Prompting())}
    made = make_run(QUESTIONS, model={"kind": "server", "name": "toy"}, **parameters)
    yield made
    made.close()


def _audit(run: RunFile, server: Any, *signals: str) -> list[Event]:
    return list(_events(run, server, *signals))


def _events(
    run: RunFile, server: Any, *signals: str, methods: tuple[ClusteringMethod, ...] = (), concurrency: int | None = None
) -> Generator[Event]:
    scoring = Scoring(signals=signals or ("response_length",), methods=methods)
    job = Job(str(run.path), JobModel(server.url, "server", concurrency=concurrency), scoring=scoring)

    def load(model: JobModel, prompting: Prompting, now: datetime) -> OpenAIGenerator:
        generator = OpenAIGenerator(server.url, prompting, now=now, policy=POLICY, concurrency=model.concurrency)
        server.is_probed = True
        return generator

    def no_embedder(_: Any) -> Any:
        raise AssertionError("no embedder is wanted")

    return Audit(run, job, Running(), load_generator=load, load_embedder=no_embedder).events()


def _texts(run: RunFile) -> dict[tuple[str, int], str]:
    return {(x.question_id, x.sample_index): x.text for s in run.sample_sets() for x in [s.greedy, *s.samples] if x}


def _stored(run: RunFile) -> list[tuple[str, int]]:
    return sorted(run.generation_keys())


ALL = sorted((question.id, index) for question in QUESTIONS for index in (GREEDY, *range(SAMPLES)))


def test_a_refused_draw_is_stored_as_failed_and_told(faults: ModuleType, run: RunFile) -> None:
    def refuse(_: int, request: dict[str, Any]) -> str | None:
        return "refuse" if "Question 1?" in str(request) else None

    with faults.FaultServer(refuse) as server:
        events = _audit(run, server)
    failed = [event for event in events if isinstance(event, GenerationFailed)]
    assert [event.question_id for event in failed] == ["q1"] * (SAMPLES + 1)
    assert {event.message for event in failed} == {"`this prompt breaks our rules (content_filter)`"}
    assert _stored(run) == ALL
    (refused,) = run.sample_sets(["q1"])
    assert refused.greedy is not None and refused.greedy.state is GenerationState.ERROR
    assert refused.valid_samples == []
    assert isinstance(events[-1], RunFinished) and events[-1].status == "complete"


def test_a_run_whose_server_died_goes_on_where_it_was_left(faults: ModuleType, run: RunFile) -> None:
    def die(number: int, _: dict[str, Any]) -> str | None:
        return "cut" if number > 4 else None

    with faults.FaultServer(die, ignores=frozenset({"n"})) as server, pytest.raises(EngineError):
        _audit(run, server)
    before = _texts(run)
    assert 0 < len(before) < len(ALL)
    with faults.FaultServer(ignores=frozenset({"n"})) as server:
        events = _audit(run, server)
    after = _texts(run)
    assert sorted(after) == ALL
    assert before.items() <= after.items()
    assert isinstance(events[-1], RunFinished) and events[-1].status == "complete"


MANY = [Question(f"q{number}", f"Question {number}?") for number in range(16)]
RULE = RateOnly(0.25, seed=1)
DRAWS = 6
"""Samples of a question that is drawn to the end."""


@pytest.mark.parametrize("several", [False, True])
def test_a_run_for_the_rate_alone_that_is_left_again_and_again_draws_each_answer_once(
    faults: ModuleType, make_run: Callable[..., RunFile], several: bool
) -> None:
    decoding = asdict(Decoding(samples=DRAWS, temperature=0.2, max_tokens=6, greedy_max_tokens=6))
    ignores = frozenset[str]() if several else frozenset({"n"})

    def made(name: str) -> RunFile:
        model = {"kind": "server", "name": "toy"}
        parameters = {"decoding": decoding, "prompting": asdict(Prompting()), "rate_only": RULE.as_parameter()}
        return make_run(MANY, f"{name}.audit", model=model, **parameters)

    def finish(run: RunFile, server: Any, most: int) -> list[tuple[str, int]]:
        """Work until the run is complete, leaving it after so many answers each time; return what was drawn."""
        drawn: list[tuple[str, int]] = []
        while run.status != "complete":
            session: list[tuple[str, int]] = []
            # One request at a time: none is under way where the run is left, so that what is stored then is known.
            with closing(_events(run, server, methods=(JACCARD,), concurrency=1)) as events:
                for event in events:
                    if isinstance(event, GenerationFinished):
                        session.append((event.question_id, event.sample_index))
                        if len(session) == most:
                            break
            drawn += session
        return drawn

    with faults.FaultServer(ignores=ignores) as server, made("broken") as broken, made("whole") as whole:
        drawn = finish(broken, server, 20)
        # A run file takes each answer once.
        assert sorted(drawn) == _stored(broken)
        assert broken.progress().state is RunState.RATE_ONLY
        looks, first = broken.first_looks(), _texts(broken)
        continue_early(broken.path)
        drawn += finish(broken, server, 20)
        assert sorted(drawn) == sorted((x.id, index) for x in MANY for index in (GREEDY, *range(DRAWS)))
        assert first.items() <= _texts(broken).items()
        if several:
            # Answers that one request asks for share its seed, and what is left of them is another request.
            return
        assert min(sum(look.is_apart is kind for look in looks.values()) for kind in (True, False)) >= 3
        finish(whole, server, 10**6)
        assert (_texts(whole), whole.first_looks()) == (first, looks)
        continue_early(whole.path)
        finish(whole, server, 10**6)
        assert _texts(whole) == _texts(broken)


def test_a_run_without_log_probabilities_says_why_its_token_signals_are_missing(
    faults: ModuleType, run: RunFile
) -> None:
    with faults.FaultServer(ignores=frozenset({"logprobs"})) as server:
        events = _audit(run, server, "token_entropy_mean", "p_true")
    warnings = [event.message for event in events if isinstance(event, Warning)]
    assert "no token statistics: the server gives no log-probabilities" in warnings
    values = run.signals()
    reasons = {name: {value.reason for value in values[name].values()} for name in ("token_entropy_mean", "p_true")}
    assert reasons["token_entropy_mean"] == {"token entropies were not recorded"}
    assert reasons["p_true"] == {"the server gives no log-probabilities"}


def test_token_signals_are_computed_without_token_ids(faults: ModuleType, run: RunFile) -> None:
    with faults.FaultServer() as server:
        _audit(run, server, "token_entropy_mean", "response_length", "perplexity")
    values = run.signals()
    assert {value.value for value in values["response_length"].values()} == {4.0}
    # The greedy answer is the likeliest word four times, so 1 / p is its perplexity.
    expected = float(1.0 / faults.np.exp(faults.LOGPROBS[0]))
    assert all(value.value == pytest.approx(expected, rel=1e-5) for value in values["perplexity"].values())
    assert all(0.0 < (value.value or 0.0) <= faults.ENTROPY for value in values["token_entropy_mean"].values())


def test_the_report_gives_the_bounds_of_the_entropies_of_a_server(faults: ModuleType, run: RunFile) -> None:
    with faults.FaultServer() as server:
        _audit(run, server, "token_entropy_mean")
    found = build(run, draws=50).run.token_entropies
    assert (found.entropy_source, found.top_logprobs, found.reason) == ("bounded", 20, "")
    # Every position has the same distribution of 40 words, of which the 20 likeliest are told. Of a drawn token the
    # last of them is left out: some servers put the token in its place.
    expected: dict[int, tuple[float, float]] = {}
    for head in (20, 19):
        logs = faults.LOGPROBS[:head]
        rest = 1 - faults.np.exp(logs).sum()
        known = float(-(faults.np.exp(logs) * logs).sum())
        expected[head] = known - rest * float(logs[-1]), known + float(rest * faults.np.log((40 - head) / rest))
        assert expected[head][0] < faults.ENTROPY < expected[head][1]
    tokens = 4 * len(QUESTIONS)
    for bounds, head, counted in ((found.greedy, 20, tokens), (found.samples, 19, tokens * SAMPLES)):
        assert isinstance(bounds, EntropyBounds)
        low, high = expected[head]
        assert (bounds.low, bounds.high, bounds.width) == pytest.approx((low, high, high - low))
        assert (bounds.bounded_tokens, bounds.tokens_share) == (counted, 1.0)
    low, high = expected[20]
    text = to_markdown(build(run, draws=50))
    assert f"bounded by the top 20 log-probabilities, nats a token on average: greedy {low:.3f} to {high:.3f}" in text
    Draft202012Validator(schema()).validate(json.loads(dumps(build(run, draws=50))))


def test_the_report_says_why_a_server_gives_no_entropies(faults: ModuleType, run: RunFile) -> None:
    with faults.FaultServer(ignores=frozenset({"logprobs"})) as server:
        _audit(run, server)
    report = build(run, draws=50)
    found = report.run.token_entropies
    assert (found.entropy_source, found.reason) == ("not available", "the server gives no log-probabilities")
    assert "Token entropies: not available, the server gives no log-probabilities" in to_markdown(report)
    Draft202012Validator(schema()).validate(json.loads(dumps(report)))


def test_what_is_known_of_the_entropies_is_kept_while_the_run_draws(
    faults: ModuleType, run: RunFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homogaudit.pipeline.session._NOTE_SECONDS", 0.0)
    known: list[int] = []
    with faults.FaultServer() as server:
        for event in _events(run, server, "response_length"):
            if isinstance(event, QuestionScored):
                (session,) = run.sessions()
                known.append(session.provenance["details"]["token_entropy_bounds"]["samples"]["tokens"])
                assert session.ended is None
    assert known == sorted(known) and 0 < known[0]


def test_a_cache_on_the_server_is_told_first_in_the_report(faults: ModuleType, run: RunFile) -> None:
    with faults.FaultServer(cached=True, length=6) as server:
        events = _audit(run, server)
    (warned,) = (event.message for event in events if isinstance(event, Warning))
    validity = build(run, draws=50).validity
    assert "10 answers at T = 1 under different seeds are equal: a cache" in warned
    assert validity.warnings[0] == warned
    # Six words of known probabilities: chance does not draw them again.
    assert validity.duplicated == len(QUESTIONS) * (SAMPLES - 1)


@pytest.mark.parametrize("name", ["n", "seed", "top_k", "min_p"])
def test_a_run_is_whole_whatever_the_server_ignores(faults: ModuleType, run: RunFile, name: str) -> None:
    with faults.FaultServer(ignores=frozenset({name})) as server:
        _audit(run, server)
    assert _stored(run) == ALL
    texts = {sample.text for x in run.sample_sets() for sample in x.samples}
    assert len(texts) == len(QUESTIONS) * SAMPLES
    warnings = build(run, draws=50).validity.warnings
    named = {"seed": "ignores the seed", "top_k": "`top_k`", "min_p": "`min_p`"}
    assert any(named[name] in text for text in warnings) if name in named else not any("ignores" in x for x in warnings)
