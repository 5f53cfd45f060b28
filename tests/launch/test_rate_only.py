"""What a run for the rate alone is planned with, and what it does not go with."""

from pathlib import Path

import pytest

from homogaudit.errors import UsageError
from homogaudit.launch.rate_only import few_questions
from homogaudit.launch.requests import RunRequest
from homogaudit.launch.run import plan_run
from homogaudit.store import RunFile
from homogaudit.store.rate_only import RateOnly


@pytest.fixture
def questions() -> int:
    return 10


def planned(request: RunRequest) -> Path:
    return plan_run(request, lambda _: None).path


def rule_of(path: Path) -> RateOnly | None:
    with RunFile.open(path) as run:
        return run.rate_rule


def test_the_rule_is_among_the_parameters_and_the_same_command_finds_its_run(request_of):
    path = planned(request_of(rate_only=True, seed=4))
    assert rule_of(path) == RateOnly(0.3, 4, 3)
    assert planned(request_of(rate_only=True, seed=4)) == path
    assert planned(request_of(rate_only=True, audit_share=0.5, seed=4)) != path
    assert planned(request_of(seed=4)) != path


def test_a_run_file_that_goes_on_keeps_its_rule(request_of, tmp_path: Path):
    output = tmp_path / "own.audit"
    planned(request_of(rate_only=True, audit_share=0.5, output=output))
    assert planned(request_of(output=output)) == output
    assert rule_of(output) == RateOnly(0.5)


def test_continued_it_is_a_run_like_any_other(request_of, tmp_path: Path):
    output = tmp_path / "own.audit"
    planned(request_of(rate_only=True, output=output))
    planned(request_of(output=output, continues=True))
    assert rule_of(output) is None


def test_the_setting_to_stop_once_decided_gives_way(request_of, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOMOGAUDIT_UNTIL_DECIDED", "true")
    path = planned(request_of(rate_only=True))
    with RunFile.open(path) as run:
        assert (run.stopping_rule, run.rate_rule) == (None, RateOnly())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"until_decided": True}, "--until-decided"),
        ({"shard": "1/2"}, "--shard"),
        ({"defer_embedding": True}, "--defer-embedding"),
        ({"samples": 3}, "looks at 3 samples"),
        ({"audit_share": 0.0}, "--audit-share"),
        ({"audit_share": 1.0}, "--audit-share"),
        ({"rate_only": None, "audit_share": 0.5}, "for runs with `--rate-only`"),
    ],
)
def test_what_makes_no_sense_with_it_is_refused(request_of, asked, message):
    with pytest.raises(UsageError, match=message) as refused:
        planned(request_of(**{"rate_only": True, **asked}))
    assert refused.value.hint


def test_few_questions_are_told_and_many_are_not(request_of):
    told: list[str] = []
    plan_run(request_of(rate_only=True), told.append)
    assert any("with 10 questions, 3 of them audited" in line for line in told)
    assert few_questions(RateOnly(), 299) is not None
    assert few_questions(RateOnly(), 300) is None
