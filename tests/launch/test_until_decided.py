"""What a run that stops once it is decided is planned with, and how its rest is asked."""

from dataclasses import replace
from pathlib import Path

import pytest

from homogaudit.errors import HomogauditError, UsageError
from homogaudit.events import JobJudge, Scoring
from homogaudit.launch.requests import RunRequest
from homogaudit.launch.run import plan_run
from homogaudit.launch.until_decided import check_is_live, stopping_rule
from homogaudit.records import ClusteringMethod
from homogaudit.store import RunFile


@pytest.fixture
def questions() -> int:
    return 30


def order(path: Path) -> list[str]:
    with RunFile.open(path) as run:
        return [question.id for question in run.questions()]


def planned(request: RunRequest) -> Path:
    return plan_run(request, lambda _: None).path


def test_the_questions_are_asked_in_an_order_of_the_seed_that_the_run_file_keeps(request_of):
    plain = [f"q{x}" for x in range(30)]
    path = planned(request_of(until_decided=True))
    found = order(path)
    assert found != plain
    assert sorted(found) == sorted(plain)
    with RunFile.open(path) as run:
        assert run.parameters["until_decided"] == {"max_scr": None, "seed": 0}
    assert order(planned(request_of(until_decided=True, seed=1, new=True))) not in (found, plain)
    # Without it they come as in the file.
    assert order(planned(request_of(new=True))) == plain


def test_a_limit_takes_the_first_questions_of_the_file_before_they_are_mixed(request_of):
    assert sorted(order(planned(request_of(until_decided=True, limit=12)))) == sorted(f"q{x}" for x in range(12))


def test_the_same_command_finds_its_run_and_another_rule_does_not(request_of):
    first = planned(request_of(until_decided=True))
    assert planned(request_of(until_decided=True)) == first
    assert planned(request_of(until_decided=True, max_scr=0.1)) != first
    assert planned(request_of()) != first


def test_a_run_file_that_goes_on_keeps_its_rule(request_of, tmp_path: Path):
    output = tmp_path / "own.audit"
    planned(request_of(until_decided=True, output=output))
    found = order(output)
    assert planned(request_of(output=output)) == output
    assert order(output) == found


def test_a_run_file_that_goes_on_is_scored_as_it_was_unless_the_command_says_otherwise(request_of, tmp_path: Path):
    # A sequence counts the clusters of one clustering; with another one it would have two chances.
    output = tmp_path / "own.audit"
    begun = plan_run(request_of(until_decided=True, output=output, clusterings=["jaccard=0.2/leader"]), lambda _: None)
    with RunFile.open(output, writable=True) as run:
        run.scoring = begun.job.scoring
    asked = replace(request_of(output=output), use_embedder=True)
    again = plan_run(asked, lambda _: None).job.scoring
    assert again.embedder_source is None
    assert again.methods == begun.job.scoring.methods
    other = plan_run(replace(asked, clusterings=["jaccard=0.3/leader"]), lambda _: None).job.scoring
    assert other.methods != again.methods


def test_only_a_run_that_stops_once_it_is_decided_can_be_continued(request_of):
    with pytest.raises(UsageError, match="no run of this command stopped early"):
        planned(request_of(continues=True))
    path = planned(request_of(until_decided=True))
    assert planned(request_of(continues=True)) == path
    with RunFile.open(path) as run:
        assert run.stopping_rule is None


def test_the_setting_holds_unless_the_command_says_otherwise(request_of, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOMOGAUDIT_UNTIL_DECIDED", "true")
    with RunFile.open(planned(request_of())) as run:
        assert run.stopping_rule is not None
    with RunFile.open(planned(request_of(until_decided=False, new=True))) as run:
        assert run.stopping_rule is None
    monkeypatch.setenv("HOMOGAUDIT_UNTIL_DECIDED", "perhaps")
    with pytest.raises(HomogauditError, match="must be true or false"):
        planned(request_of())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"shard": "1/2"}, "--shard"),
        ({"defer_embedding": True}, "--defer-embedding"),
        ({"max_scr": 0.0}, "--max-scr"),
        ({"max_scr": 1.0}, "--max-scr"),
    ],
)
def test_what_needs_the_whole_file_is_refused(asked, message):
    with pytest.raises(UsageError, match=message):
        stopping_rule(RunRequest(model="demo", until_decided=True, **asked))
    assert stopping_rule(RunRequest(model="demo", **asked)) is None


def test_a_clustering_that_is_made_after_the_drawing_is_refused():
    asked = JobJudge("other", "other", "gguf", "-", "", "")
    meaning = ClusteringMethod("meaning", "average", 0.5, "tiny")
    with pytest.raises(UsageError, match="--meaning"):
        check_is_live(Scoring(meaning_source=asked, methods=(meaning,)))
    check_is_live(Scoring(methods=(meaning,)))
