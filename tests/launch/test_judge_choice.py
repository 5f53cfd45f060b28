"""What a judge on a server is asked about stored answers, and at which price."""

from dataclasses import replace
from pathlib import Path

import pytest

from homogaudit.config import load_models
from homogaudit.events import JobJudge
from homogaudit.launch.judge_choice import JudgeChoice, choose_judge, stored_judge
from homogaudit.records import GREEDY, Generation, GenerationState, Label, LabelValue, Question
from homogaudit.store import RunFile, Scoring

JUDGE = JobJudge("model:paid", "model:paid#1", "server", "http://127.0.0.1:9/v1", "t" * 210, "0" * 64, price=1000.0)
CHOICE = JudgeChoice(JUDGE.key, "chosen by `--judge`", JUDGE)


@pytest.fixture
def run_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOMOGAUDIT_MODELS", raising=False)
    questions = [Question(f"q{number}", "x" * 30, answers=("a" * 60,) if number < 4 else ()) for number in range(6)]
    path = tmp_path / "made.audit"
    with RunFile.create(
        path, model="made", question_source="made.jsonl", questions=questions, parameters={"recorded": True}
    ) as run:
        for question in questions[1:]:
            text = "word " * 4000
            run.add_generation(Generation(question.id, GREEDY, text, text, GenerationState.VALID))
    return path


def test_what_is_asked_is_estimated_from_the_stored_answers_that_are_not_judged_yet(run_path: Path) -> None:
    with RunFile.open(run_path, writable=True) as run:
        run.add_labels([Label("q1", JUDGE.key, LabelValue.CORRECT, "yes")])
        found = CHOICE.estimate_stored(run)
        # q0 has no answer, q1 is judged, q4 and q5 have nothing to be judged by. Of the two others: 300 characters of
        # template, question and reference at three a token, 40 tokens of a chat template, 20,000 characters of answer.
        assert found is not None and found.judging is not None
        tokens = 2 * (100 + 40 + 6667) + 1500
        assert (found.judging.requests, found.judging.prompt_tokens, found.judging.answer_tokens) == (2, tokens, 160)
        assert found.cost == pytest.approx((tokens + 160) * 1e-3)
        assert replace(CHOICE, model=replace(JUDGE, kind="gguf")).estimate_stored(run) is None
        run.add_labels([Label(name, JUDGE.key, LabelValue.INCORRECT, "no") for name in ("q2", "q3")])
        assert CHOICE.estimate_stored(run) is None


def test_the_price_of_a_runs_judge_is_the_one_that_models_toml_names_by_now_else_the_stored_one(run_path: Path) -> None:
    scoring = Scoring(JUDGE.key, judge_source=JUDGE)
    entry = '[generators."{}"]\nsource = "{}"\nprice_per_million_tokens = {}\n'

    def price(*entries: tuple[str, str, float]) -> float | None:
        Path("models.toml").write_text("".join(entry.format(*values) for values in entries))
        judge = stored_judge(scoring, load_models())
        return judge and judge.price

    assert price() == 1000.0
    assert price(("other", JUDGE.location, 2.0)) == 2.0
    assert price(("other", JUDGE.location, 2.0), ("paid", JUDGE.location, 3.0)) == 3.0
    assert price(("paid", "http://127.0.0.1:10/v1", 3.0)) == 1000.0
    # A run that was scored before its judge had a price.
    scoring = replace(scoring, judge_source=replace(JUDGE, price=None))
    assert price() is None
    assert price(("other", JUDGE.location, 2.0)) == 2.0


@pytest.mark.parametrize(("asked", "number"), [(None, 1), ("exact", 1), ("none", 0)])
def test_references_that_name_unknown_choices_are_told_of_whoever_chose_the_judge(
    asked: str | None, number: int
) -> None:
    told: list[str] = []
    choose_judge(asked, [Question("q", "Which metal melts first?", answers=("B",))], warn=told.append)
    assert len(told) == number
    assert all("have an index or a letter" in line or "has an index or a letter" in line for line in told)
