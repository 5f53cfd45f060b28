"""`--judge model:...`: a real small model, a server on loopback, and what cannot judge."""

import json
import shlex
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from homogaudit.cli.app import run_app
from homogaudit.generation.server_keys import KEY_VARIABLES
from homogaudit.launch.resume import plan_resume
from homogaudit.records import GREEDY, Generation, GenerationState, Question
from homogaudit.store import RunFile

QUESTIONS = [
    Question("bees", "What do bees make?", answers=("honey",), incorrect_answers=("jam",)),
    Question("rome", "Where is Rome?", answers=("Italy",), incorrect_answers=("Spain",)),
    Question("hamlet", "Who wrote Hamlet?", answers=("Shakespeare",), incorrect_answers=("Marlowe",)),
]
ANSWERS = ("Bees make honey.", "Rome is in Spain.", "William Shakespeare.")
Score = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def run_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path))
    monkeypatch.setenv("HOMOGAUDIT_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "made.audit"
    parameters = {"recorded": True, "decoding": {"samples": 2}}
    with RunFile.create(
        path, model="made", question_source="made.jsonl", questions=QUESTIONS, parameters=parameters
    ) as run:
        for question, text in zip(QUESTIONS, ANSWERS, strict=True):
            for index in (GREEDY, 0, 1):
                run.add_generation(Generation(question.id, index, text, text, GenerationState.VALID))
    return path


@pytest.fixture
def score(run_path: Path, capsys: pytest.CaptureFixture[str]) -> Score:
    def score(*arguments: object) -> tuple[int, Any, str]:
        capsys.readouterr()
        always = ["--no-embedder", "--signals", "response_length", "--json", "-q"]
        code = run_app(["score", str(run_path), *map(str, arguments), *always])
        captured = capsys.readouterr()
        return code, json.loads(captured.out) if captured.out else None, captured.err

    return score


def test_a_real_model_judges_and_a_second_scoring_asks_nothing_again(
    score: Score, run_path: Path, demo_model: Path
) -> None:
    code, report, err = score("--judge", f"model:{demo_model}")
    assert (code, err) == (0, "")
    key = report["labels"]["judge"]
    assert key.startswith(f"model:{demo_model.stem}#")
    with RunFile.open(run_path) as run:
        calls, labels = run.calls(), run.labels(key)
        assert run.meta("judge_models")[key]["fingerprint"]["size"] == demo_model.stat().st_size
        sessions = len(run.sessions())
    for question in QUESTIONS:
        call = calls[question.id][key]
        assert call.text and call.tokens > 0
        # What the label says is what the reply says, whatever this small model thinks.
        said = {1.0: "correct", 0.0: "incorrect"}.get(call.value, call.reason)  # type: ignore[arg-type]
        assert labels[question.id].value.value == {"unparsed": "no_match", "unsure": "ambiguous"}.get(said, said)
    code, report, _ = score()
    assert (code, report["labels"]["judge"]) == (0, key)
    with RunFile.open(run_path) as run:
        assert run.calls() == calls
        assert [x.kind for x in run.sessions()[sessions:]] == []
    job = plan_resume(run_path).job
    assert job.scoring.judge == key and job.scoring.judge_source is not None
    assert job.scoring.judge_source.location == str(demo_model)


def test_a_server_judges_through_failures_and_its_labels_stand_beside_others(
    score: Score, run_path: Path, faults: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert score("--judge", "overlap")[0] == 0
    monkeypatch.setattr(faults, "WORDS", ["Verdict: incorrect", *faults.WORDS[1:]])
    failed: set[str] = set()

    def fail_once(_: int, request: dict[str, Any]) -> str | None:
        asked = str(request)
        is_new = "Answer to check" in asked and asked not in failed
        failed.add(asked)
        return ("500", "cut", "429")[len(failed) % 3] if is_new else None

    with faults.FaultServer(fail_once, models=("org/toy",), length=1, is_probed=True) as server:
        code, report, _ = score("--judge", f"model:{server.url}")
    assert code == 0
    key = report["labels"]["judge"]
    assert key.startswith("model:org/toy#")
    assert report["labels"]["judges"][key]["incorrect"] == 3
    assert report["labels"]["judges"]["overlap"]["correct"] == 2
    with RunFile.open(run_path) as run:
        assert {x: found[key].text for x, found in run.calls().items()} == dict.fromkeys(
            ("bees", "rome", "hamlet"), "Verdict: incorrect"
        )


def test_a_paid_judge_is_agreed_to_before_it_is_asked_and_so_is_the_one_that_the_run_names(
    score: Score, run_path: Path, faults: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faults.FaultServer(models=("org/toy",), is_probed=True) as server:
        entry = f'[generators.paid]\nsource = "{server.url}"\nprice_per_million_tokens = 1000.0\n'
        (run_path.parent / "models.toml").write_text(entry)
        monkeypatch.setenv("HOMOGAUDIT_MODELS", str(run_path.parent / "models.toml"))
        code, report, _ = score("--judge", "model:paid")
        assert (code, server.requests) == (2, [])
        assert "the run may cost" in report["error"]["message"] and "`--yes`" in report["error"]["hint"]
        code, report, _ = score("--judge", "model:paid", "--max-cost", "nan")
        assert (code, server.requests) == (2, []) and "not `nan`" in report["error"]["message"]
        assert score("--judge", "model:paid", "--yes")[0] == 0
        asked = len(server.requests)
        assert asked >= 3
        # All are judged: nothing is left to agree to.
        assert score()[0] == 0 and score("--max-cost", "0.01")[0] == 0
        with sqlite3.connect(run_path) as connection:
            connection.execute("DELETE FROM labels WHERE position = 0")
        code, report, _ = score()
        assert code == 2 and "the run may cost" in report["error"]["message"]
        code, report, _ = score("--max-cost", "0.01")
        assert code == 2 and "more than `--max-cost` 0.01" in report["error"]["message"]
        assert len(server.requests) == asked
        assert score("--max-cost", "100")[0] == 0
        assert len(server.requests) > asked


def test_an_import_with_a_paid_judge_says_how_to_go_on_with_it_or_is_agreed_to_at_once(
    run_path: Path, faults: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_path.parent
    monkeypatch.setenv("HOMOGAUDIT_MODELS", str(folder / "models.toml"))
    line = {"question": "What do bees make?", "answers": ["honey"], "greedy": {"text": "Honey."}}
    (folder / "recorded.jsonl").write_text(json.dumps(line | {"samples": [{"text": "Honey."}, {"text": "Wax."}]}))
    (folder / "my prompt.jinja").write_text("Is {{ answer }} right? {{ question }}")
    flags = ["--no-embedder", "--judge", "model:paid", "--judge-prompt", "my prompt.jinja"]
    with faults.FaultServer(models=("org/toy",), is_probed=True) as server:
        entry = f'[generators.paid]\nsource = "{server.url}"\nprice_per_million_tokens = 1000.0\n'
        (folder / "models.toml").write_text(entry)
        assert run_app(["import", "recorded.jsonl", "-o", "one.audit", *flags]) == 2
        err = capsys.readouterr().err
        again = "homogaudit score one.audit --judge model:paid --judge-prompt 'my prompt.jinja' --no-embedder"
        assert f"imported but not scored: continue with `{again}`" in err and "agree with `--yes`" in err
        assert server.requests == []
        assert run_app([*shlex.split(again)[1:], "--yes", "-q"]) == 0
        for number, agreed in enumerate((["--yes"], ["--max-cost", "100"])):
            target = folder / f"agreed-{number}.audit"
            assert run_app(["import", "recorded.jsonl", "-o", str(target), *flags, *agreed]) == 0
            with RunFile.open(target) as run:
                assert [x.startswith("model:paid#") for x in run.judges()] == [True]


def test_a_judge_that_never_says_a_verdict_gives_no_label_and_a_warning(
    score: Score, run_path: Path, faults: ModuleType
) -> None:
    with faults.FaultServer(models=("org/toy",)) as server:
        code, report, err = score("--judge", f"model:{server.url}")
    assert (code, err) == (0, "")
    key = report["labels"]["judge"]
    counts = report["labels"]["judges"][key]
    assert (counts["correct"], counts["incorrect"], counts["no_match"]) == (0, 0, 3)
    unparsed = counts["model"]["unparsed"]
    assert (unparsed["k"], unparsed["n"], counts["model"]["unsure"]["k"]) == (3, 3, 0)
    assert any("3 of 3 replies of judge" in warning for warning in report["validity"]["warnings"])
    assert report["homogenization"]["methods"]["jaccard"]["scr"]["value"] == 1.0


def test_a_folder_without_weights_is_refused_before_anything_changes(score: Score, run_path: Path) -> None:
    folder = run_path.parent / "empty-model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    code, report, _ = score("--judge", f"model:{folder}")
    assert code == 3
    assert report["error"]["message"].endswith("holds no weights")
    with RunFile.open(run_path) as run:
        assert run.meta("scoring") is None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--judge", "model:"), 2, "names no model"),
        (("--judge", "model:no-such-model"), 2, "no-such-model"),
        (("--judge", "modl:demo"), 2, "unknown judge"),
        (("--judge", "exact", "--judge-prompt", "p.jinja"), 2, "is for a model that judges"),
        (("--judge", "model:demo", "--judge-prompt", "p.jinja"), 2, "leaves the question or the answer out"),
        (("--judge", "model:demo", "--judge-prompt", "none.jinja"), 2, "no prompt template"),
        (("--judge", "model:http://127.0.0.1:9/v1"), 3, "127.0.0.1:9"),
    ],
)
def test_what_cannot_judge_is_one_clear_line_and_leaves_the_run_as_it_was(
    score: Score, run_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (run_path.parent / "p.jinja").write_text("What is wrong with {{ answer }}?")
    found, report, err = score(*arguments)
    assert found == code
    assert words in json.dumps(report) + err
    with RunFile.open(run_path) as run:
        assert run.meta("scoring") is None and run.judges() == []
