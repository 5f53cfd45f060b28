"""A model that is asked whether two answers say the same: which pairs, how often, and what becomes of its replies."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.clustering.meaning import MeaningFit, fitted_embedders, shipped_fit
from homogaudit.clustering.methods import methods_of
from homogaudit.errors import ModelError, UsageError
from homogaudit.events import Asking, Event, Job, JobEmbedder, JobJudge, Planned, QuestionScored, Scoring
from homogaudit.generation.generator import GeneratorFacts, NextTokens
from homogaudit.launch.comparisons import stored_comparisons
from homogaudit.launch.requests import ScoreRequest
from homogaudit.launch.resume import plan_resume
from homogaudit.launch.score import plan_score
from homogaudit.pipeline import Audit
from homogaudit.pipeline.comparing import ask_same
from homogaudit.questions.prompts import Prompt, Segment
from homogaudit.records import Question
from homogaudit.report.build import build
from homogaudit.store import RunFile

KEY = fitted_embedders()[0]
EMBEDDER = JobEmbedder("any", KEY, "somewhere")
JUDGE = JobJudge("tiny", "tiny#12345678", "gguf", "/tiny.gguf", "", "")
QUESTIONS = [Question("q0", "Who was it?"), Question("q1", "Where is it?")]
ANSWERS = {
    "q0": ("Ada", "Ada Lovelace did it.", "It was a countess.", "Nobody did."),
    "q1": ("Rome", "Rome.", "Rome.", "Rome."),
}


class Nearness:
    """Texts that end alike point the same way."""

    name = "any"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.asarray([[1.0, 0.3 * (len(text) % 3)] for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Lenient:
    """Says yes with odds of 3 where the first student's answer is the longer one, else of 1; keeps what it is asked."""

    facts = GeneratorFacts("CPU", 1, 0, 0, "chat")

    def __init__(self, thinks: bool = False) -> None:
        self.asked: list[list[str]] = []
        self.thinks = thinks
        self.is_closed = False

    def prompt(self, question: str, system: str | None = None) -> Prompt:
        return Prompt(question, (Segment(question, trusted=False),), "chat", (), self.thinks)

    def next_tokens(self, prompts: Sequence[Prompt], words: Collection[str]) -> Iterator[NextTokens | None]:
        self.asked.append([prompt.text for prompt in prompts])
        for prompt in prompts:
            one, other = prompt.text.rpartition("Student 1: ")[2].removesuffix("\nSame answer:").split("\nStudent 2: ")
            yes = 0.6 if len(one) > len(other) else 0.2
            yield None
            yield NextTokens(("Yes", "No"), np.log([yes, 0.2]), 10, 0.1)

    def close(self) -> None:
        self.is_closed = True


class GoesOn:
    is_cancelled = is_paused = False

    def wait_while_paused(self) -> None: ...

    def take_snapshot_request(self) -> bool:
        return False


@pytest.fixture
def run(answered_run: Callable[..., RunFile]) -> RunFile:
    return answered_run(QUESTIONS, ANSWERS)


def work(run: RunFile, model: Lenient, judge: JobJudge | None = JUDGE) -> list[Event]:
    scoring = Scoring(embedder_source=EMBEDDER, meaning_source=judge)
    job = Job(str(run.path), scoring=replace(scoring, methods=methods_of(scoring)))
    audit = Audit(
        run,
        job,
        GoesOn(),
        load_generator=lambda *_: model,
        load_embedder=lambda _: Nearness(),  # type: ignore[arg-type]
    )
    return list(audit.events())


def meaning(run: RunFile) -> Any:
    return next(x for x in run.clustering_methods() if x.similarity == "meaning")


@pytest.fixture
def every_pair_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MeaningFit, "is_open", lambda *_: True)


def test_open_pairs_are_asked_in_both_orders_a_question_at_a_time(run: RunFile, every_pair_is_open: None) -> None:
    model = Lenient()
    events = work(run, model)
    # Three different answers to q0 are three pairs; those to q1 are one text.
    assert [len(prompts) for prompts in model.asked] == [6]
    assert [x for x in events if isinstance(x, Asking)][-1] == Asking(3, 3, "model of meaning")
    # Two questions of three samples have six pairs, of which 0.2 are expected to be open; then it is known.
    assert [x.comparisons for x in events if isinstance(x, Planned)] == [1, 1, 3]
    assert model.is_closed
    assert run.status == "complete"


def test_what_is_left_to_ask_is_told_before_it_is_asked(run: RunFile, every_pair_is_open: None) -> None:
    scoring = Scoring(embedder_source=EMBEDDER, meaning_source=replace(JUDGE, kind="server", price=1000.0))
    scoring = replace(scoring, methods=methods_of(scoring))
    # The three samples of q0 are three texts, those of q1 one; nothing is embedded, so 0.2 of three pairs is expected.
    found = stored_comparisons(scoring, run)
    assert found is not None and (found.most, found.expected) == (3, 1)
    assert found.text(12.0) == (
        "`tiny` compares about 1 pairs of answers in both orders, 3 at most: about 12.0 s at the speed of its last run "
        "here"
    )
    # Six requests: 40 tokens of a chat template, 4 of `Who was it?`, twice 7 of the longest answer, 3 characters each.
    assert found.cost is not None
    assert (found.cost.requests, found.cost.prompt_tokens, found.cost.answer_tokens) == (6, 6 * (40 + 4 + 14) + 1500, 6)
    work(run, Lenient(), None)
    # The embedder has read them now.
    known = stored_comparisons(scoring, run)
    assert known is not None and (known.most, known.expected) == (3, 3)
    assert known.text(60.0).startswith("`tiny` compares 3 pairs of answers in both orders: about 3 min 0 s at the")
    assert known.text(None).endswith(
        "in both orders; how long that takes is known once it has been asked on this machine"
    )
    work(run, Lenient())
    done = stored_comparisons(scoring, run)
    assert done is not None and (done.most, done.cost) == (0, None)


def test_a_limit_of_cost_holds_for_a_model_of_meaning_on_a_server(
    run: RunFile, every_pair_is_open: None, tmp_path: Path
) -> None:
    server = replace(JUDGE, kind="server", location="http://127.0.0.1:9/v1", price=1000.0)
    scoring = Scoring(embedder_source=replace(EMBEDDER, location=str(tmp_path)), meaning_source=server)
    run.scoring = replace(scoring, methods=methods_of(scoring))
    run.close()
    told: list[str] = []
    asked = [told.append, lambda _: None]
    # 1,848 prompt tokens and 6 of answers at 1,000 a million.
    with pytest.raises(UsageError, match=r"may cost 1\.85, more than `--max-cost` 1\.8"):
        plan_score(ScoreRequest(run.path, max_cost=1.8), *asked)
    assert told[-1].startswith("`tiny` compares about 1 pairs")
    plan = plan_score(ScoreRequest(run.path, max_cost=2.0), *asked)
    assert plan.estimate is not None
    assert plan.estimate.text.startswith("comparing meanings: at most 6 requests") and plan.estimate.cost == 1.854
    with pytest.raises(UsageError, match=r"may cost 1\.85"):
        plan_resume(run.path, draws=False, max_cost=1.8, consent=lambda _: None)
    with pytest.raises(UsageError, match="which you did not name"):
        plan_resume(run.path, draws=False)


def test_the_probability_comes_from_the_mean_of_both_orders(run: RunFile, every_pair_is_open: None) -> None:
    work(run, Lenient())
    fit = shipped_fit(KEY)
    assert fit is not None
    found = run.similarities(meaning(run).embedder, "Who was it?", ANSWERS["q0"][1:])
    assert found is not None
    # Odds of 3 and of 1 in their two orders: ln 3 / 2 above the threshold.
    expected = math.sqrt(3) * fit.threshold / (1 - fit.threshold)
    assert found[0, 1] == pytest.approx(expected / (1 + expected), abs=1e-6)


def test_a_model_that_says_no_too_often_has_a_threshold_of_its_own(run: RunFile, every_pair_is_open: None) -> None:
    work(run, Lenient())
    at_even = meaning(run)
    # The replies are kept; the threshold is part of the clustering's key, and of nothing that is asked.
    again = Lenient()
    work(run, again, replace(JUDGE, threshold=0.75))
    assert again.asked == []
    method = next(x for x in run.clustering_methods() if x.similarity == "meaning" and x != at_even)
    assert method.embedder.endswith("+asked:tiny#12345678@0.75")
    assert (method.asked, method.asked_key, at_even.asked_key) == ("tiny", "tiny#12345678", "tiny#12345678")
    found = run.similarities(method.embedder, "Who was it?", ANSWERS["q0"][1:])
    fit = shipped_fit(KEY)
    assert found is not None and fit is not None
    # Odds of the square root of 3 against the odds of 3 from which a pair has one meaning.
    odds = math.sqrt(3) / 3 * fit.threshold / (1 - fit.threshold)
    assert found[0, 1] == pytest.approx(odds / (1 + odds), abs=1e-6)
    report = build(run, draws=50).homogenization.methods["meaning by tiny"]
    assert (report.scr.k, report.pairs_asked.k, report.pairs_asked.n) == (1, 3, 3)


def test_the_model_is_in_the_key_of_the_clustering(run: RunFile, every_pair_is_open: None) -> None:
    work(run, Lenient())
    assert meaning(run).embedder.endswith("+asked:tiny#12345678")
    report = build(run, draws=50)
    assert report.homogenization.primary == "meaning by tiny"
    found = report.homogenization.methods["meaning by tiny"]
    assert found.scr.k == 2
    assert (found.pairs_asked.k, found.pairs_asked.n) == (3, 3)


def test_no_pair_is_asked_twice_not_even_by_a_later_scoring(run: RunFile, every_pair_is_open: None) -> None:
    work(run, Lenient())
    again = Lenient()
    work(run, again)
    assert again.asked == []


def test_pairs_that_the_embedder_settles_are_not_asked(run: RunFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MeaningFit, "is_open", lambda *_: False)
    model = Lenient()
    work(run, model)
    assert model.asked == []
    guard = run.similarities(shipped_fit(KEY).key(KEY), "Who was it?", ANSWERS["q0"][1:])  # type: ignore[union-attr]
    np.testing.assert_array_equal(run.similarities(meaning(run).embedder, "Who was it?", ANSWERS["q0"][1:]), guard)


def test_a_model_that_thinks_first_is_refused(run: RunFile, every_pair_is_open: None) -> None:
    with pytest.raises(ModelError, match="thinks"):
        work(run, Lenient(thinks=True))


def test_even_odds_are_the_threshold_and_a_pair_is_open_within_the_band() -> None:
    fit = MeaningFit(0.4, 0.0, {})
    assert fit.probability_asked(0.0) == pytest.approx(0.4)
    assert fit.probability_asked(1000.0) == pytest.approx(1.0)
    assert [fit.is_open(x) for x in (0.27, 0.28, 0.79, 0.80)] == [False, True, True, False]


def test_each_pair_comes_with_its_own_odds() -> None:
    found = list(ask_same(Lenient(), [("?", ("long one", "x")), ("!", ("y", "longest"))]))  # type: ignore[arg-type]
    assert found[0] == pytest.approx((math.log(3), 0.0))
    assert found[1] == pytest.approx((0.0, math.log(3)))


def test_questions_of_few_pairs_share_a_call(answered_run: Callable[..., RunFile], every_pair_is_open: None) -> None:
    questions = [Question(f"q{n}", f"Which {n}?") for n in range(9)]
    run = answered_run(questions, {x.id: ("g", "a one", "b two", f"c {x.id}") for x in questions})
    model = Lenient()
    events = work(run, model)
    # Three pairs a question: six questions are 18 pairs, 36 prompts; the other three are what is left.
    assert [len(prompts) for prompts in model.asked] == [36, 18]
    scored = [x.question_id for x in events if isinstance(x, QuestionScored)]
    assert scored[-9:] == [x.id for x in questions]
    assert run.status == "complete"
