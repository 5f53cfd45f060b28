"""`homogaudit cascade fit` and `cascade apply`: what they write, print and refuse."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

import homogaudit
from homogaudit.cascade.policy import Policy
from homogaudit.cli.app import run_app

from ..patience import PATIENCE

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(folder))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def cascade(capsys: pytest.CaptureFixture[str]) -> Command:
    def cascade(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_app(["cascade", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return cascade


def recorded_file(path: Path, n: int, seed: int, model: str = "tiny-model", **changes: Any) -> Path:
    """Write recorded answers with two signals of AUROC 0.75, the second recorded the other way round."""
    generator = np.random.default_rng(seed)
    incorrect = generator.random(n) < 0.5
    drawn = generator.normal(size=(2, n)) + np.sqrt(2) * NormalDist().inv_cdf(0.75) * incorrect
    header = {"format": "homogaudit.recorded", "version": 1, "model": model, "directions": {"density": -1}}
    lines: list[dict[str, Any]] = [header]
    for number in range(n):
        line: dict[str, Any] = {
            "id": f"q{number}",
            "question": f"Question {number}?",
            # One token whose entropy is the first signal.
            "greedy": {"text": "an answer", "token_entropies": [float(np.exp(drawn[0, number]))]},
            "label": "incorrect" if incorrect[number] else "correct",
            "signals": {"density": -float(drawn[1, number])},
        }
        lines.append({**line, **changes.get(line["id"], {})})
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def imported(file: Path, run: Path) -> Path:
    assert run_app(["import", str(file), "-o", str(run), "--no-embedder", "-q"]) == 0
    return run


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An imported run and the policy that was fitted on it."""
    folder = tmp_path_factory.mktemp("fitted")
    run = imported(recorded_file(folder / "one.jsonl", 300, 1), folder / "one.audit")
    policy = folder / "policy.json"
    assert run_app(["cascade", "fit", str(run), "--out", str(policy)]) == 0
    return run, policy


def test_fit_writes_a_policy_and_prints_what_it_holds(fitted: tuple[Path, Path], cascade: Command) -> None:
    code, out, err = cascade("fit", fitted[0], "--out", "new.json")
    assert (code, err) == (0, "")
    policy = Policy.from_json(Path("new.json").read_text())
    assert policy.model == "tiny-model"
    assert [x.signal for x in policy.stages] == ["token_entropy_mean", "recorded:density"]
    assert policy.questions == 300
    assert "Model: tiny-model (known by its name alone)" in out
    assert "On held-out questions: AUROC 0." in out
    # The same run gives the same policy to the last digit.
    assert Path("new.json").read_bytes() == fitted[1].read_bytes()


def test_fit_tells_the_same_facts_as_json(fitted: tuple[Path, Path], cascade: Command) -> None:
    code, out, _ = cascade("fit", fitted[0], "-o", "new.json", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["schema"] == "homogaudit.cascade_fit/1"
    assert document["held_out"]["saving"].keys() == {"value", "low", "high"}
    assert document["stages"][0]["signal"] == "token_entropy_mean"


def test_fit_overwrites_nothing_unless_forced_and_a_run_file_never(fitted: tuple[Path, Path], cascade: Command) -> None:
    Path("mine.json").write_text("mine")
    code, _, err = cascade("fit", fitted[0], "-o", "mine.json")
    assert (code, "`mine.json` exists" in err, "--force" in err) == (2, True, True)
    assert Path("mine.json").read_text() == "mine"
    before = fitted[0].read_bytes()
    code, _, err = cascade("fit", fitted[0], "-o", fitted[0], "--force")
    assert (code, "run file" in err) == (2, True)
    assert fitted[0].read_bytes() == before
    assert cascade("fit", fitted[0], "-o", "mine.json", "--force")[0] == 0
    assert Policy.from_json(Path("mine.json").read_text())


def test_stages_are_those_that_were_named(fitted: tuple[Path, Path], cascade: Command) -> None:
    code, _, _ = cascade("fit", fitted[0], "-o", "p.json", "--signals", "recorded:density, token_entropy_max")
    assert code == 0
    stages = Policy.from_json(Path("p.json").read_text()).stages
    # Cheapest first, whatever the order that was given.
    assert [x.signal for x in stages] == ["token_entropy_max", "recorded:density"]
    code, _, err = cascade("fit", fitted[0], "-o", "q.json", "--signals", "token_entropy_mean,nope")
    assert (code, "no signal `nope`" in err) == (2, True)
    assert not Path("q.json").exists()


def test_a_judge_without_labels_is_an_error(fitted: tuple[Path, Path], cascade: Command) -> None:
    code, out, err = cascade("fit", fitted[0], "-o", "p.json", "--judge", "exact")
    assert (code, out) == (2, "")
    assert "no labels of judge `exact`" in err


def test_a_run_that_is_not_complete_is_not_fitted_on(
    fitted: tuple[Path, Path], tmp_path: Path, cascade: Command
) -> None:
    from homogaudit.store import RunFile

    copy = tmp_path / "copy.audit"
    copy.write_bytes(fitted[0].read_bytes())
    with RunFile.open(copy, writable=True) as run:
        run.set_meta("status", "started")
    code, _, err = cascade("fit", copy, "-o", "p.json")
    assert (code, "not complete" in err) == (4, True)
    assert not Path("p.json").exists()


@pytest.mark.parametrize(
    ("labels", "n"), [("one class", 40), ("fewer than folds", 4)], ids=["one class", "fewer than folds"]
)
def test_a_run_that_carries_no_cascade_is_one_clear_error(
    labels: str, n: int, tmp_path: Path, cascade: Command
) -> None:
    changes = {f"q{i}": {"label": "correct"} for i in range(n)} if labels == "one class" else {}
    run = imported(recorded_file(tmp_path / "few.jsonl", n, 3, **changes), tmp_path / "few.audit")
    code, _, err = cascade("fit", run, "-o", "p.json")
    assert code == 2
    assert "error: no cascade can be fitted: " in err
    assert not Path("p.json").exists()


def test_apply_decides_recorded_answers_without_a_run_file(
    fitted: tuple[Path, Path], tmp_path: Path, runs: Path, cascade: Command
) -> None:
    other = recorded_file(tmp_path / "two.jsonl", 300, 2)
    code, out, _ = cascade("apply", fitted[1], other, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["schema"] == "homogaudit.cascade_decisions/1"
    assert document["decided"] == document["questions"] == 300
    assert document["undecided"] == {}
    assert 0.05 < document["saving"] < 0.95
    assert document["predicted_saving"]["low"] <= document["saving"] <= document["predicted_saving"]["high"]
    assert document["accuracy_accepted"]["value"] > document["accuracy"]["value"]
    assert document["auroc"]["value"] > 0.7
    assert list(runs.iterdir()) == []
    code, out, _ = cascade("apply", fitted[1], other)
    assert code == 0
    assert "300 of 300 questions are decided" in out
    assert "Saved against running every stage: calls" in out


def test_apply_says_the_same_of_a_run_and_of_its_recording(
    fitted: tuple[Path, Path], tmp_path: Path, cascade: Command
) -> None:
    other = recorded_file(tmp_path / "two.jsonl", 60, 2)
    run = imported(other, tmp_path / "two.audit")
    assert cascade("apply", fitted[1], other, "-o", "-") == cascade("apply", fitted[1], run, "-o", "-")


def test_decisions_are_a_json_line_a_question(fitted: tuple[Path, Path], tmp_path: Path, cascade: Command) -> None:
    other = recorded_file(tmp_path / "two.jsonl", 50, 2)
    code, out, _ = cascade("apply", fitted[1], other, "--output", "decisions.jsonl")
    assert (code, "Cascade decisions" in out) == (0, True)
    lines = [json.loads(line) for line in Path("decisions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [f"q{number}" for number in range(50)]
    assert lines[0].keys() == {"id", "flagged", "stage", "probability", "cost", "reason"}
    assert {line["stage"] for line in lines} <= {"token_entropy_mean", "recorded:density"}
    # A question that reached the second stage has paid for it.
    assert all(line["cost"] == float(line["stage"] == "recorded:density") for line in lines)
    code, _, err = cascade("apply", fitted[1], other, "--json", "-o", "-")
    assert (code, "both print to standard output" in err + _) == (2, True)


def test_questions_without_signals_are_undecided_and_counted(
    fitted: tuple[Path, Path], tmp_path: Path, cascade: Command
) -> None:
    greedy = {"greedy": {"text": "an answer"}}
    other = recorded_file(tmp_path / "two.jsonl", 50, 2, q0=greedy, q1=greedy)
    code, out, _ = cascade("apply", fitted[1], other, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["undecided"] == {"token_entropy_mean: token entropies were not recorded": 2}
    assert document["decided"] == 48
    assert document["decisions"][0]["flagged"] is None
    _, out, _ = cascade("apply", fitted[1], other)
    assert "warning: 2 questions are undecided: token_entropy_mean" in out


def test_where_no_question_can_be_decided_nothing_is_made_up(
    fitted: tuple[Path, Path], tmp_path: Path, cascade: Command
) -> None:
    bare = {f"q{i}": {"greedy": {"text": "an answer"}, "signals": {}} for i in range(20)}
    other = recorded_file(tmp_path / "two.jsonl", 20, 2, **bare)
    code, out, _ = cascade("apply", fitted[1], other, "--json")
    document = json.loads(out)
    assert (code, document["decided"]) == (0, 0)
    assert all(document[name]["value"] is None for name in ("saving", "flagged", "accuracy", "auroc"))
    assert cascade("apply", fitted[1], other)[0] == 0


def test_another_model_is_refused_unless_allowed(fitted: tuple[Path, Path], tmp_path: Path, cascade: Command) -> None:
    other = recorded_file(tmp_path / "two.jsonl", 30, 2, model="another")
    code, out, err = cascade("apply", fitted[1], other)
    assert (code, out) == (2, "")
    assert "the policy was fitted for `tiny-model`, not for this `another`" in err
    assert cascade("apply", fitted[1], other, "--allow-other-model")[0] == 0
    code, out, _ = cascade("apply", fitted[1], other, "--json")
    assert (code, json.loads(out)["error"]["kind"]) == (2, "parameters")


def edited(text: str, how: str) -> str:
    body = json.loads(text)
    if how == "text":
        return "just some text\n"
    if how == "wrong type":
        body["stages"][0]["mean"] = "low"
    elif how == "unordered thresholds":
        body["stages"][0]["lower"], body["stages"][0]["upper"] = 0.9, 0.1
    elif how == "unknown signal":
        body["stages"][0]["signal"] = "nope"
    elif how == "missing key":
        del body["cost_kind"]
    return json.dumps(body)


@pytest.mark.parametrize("how", ["text", "wrong type", "unordered thresholds", "unknown signal", "missing key"])
def test_a_policy_edited_by_hand_is_one_error_line(how: str, fitted: tuple[Path, Path], cascade: Command) -> None:
    path = Path("edited.json")
    path.write_text(edited(fitted[1].read_text(), how))
    code, out, err = cascade("apply", path, fitted[0])
    assert (code, out) == (2, "")
    assert err.startswith("error: this is no policy that can be used: ")
    assert len(err.splitlines()) == 2


def test_files_that_are_not_there_or_no_recordings_are_errors(fitted: tuple[Path, Path], cascade: Command) -> None:
    code, _, err = cascade("apply", "missing.json", fitted[0])
    assert (code, "cannot read the policy `missing.json`" in err) == (2, True)
    Path("notes.txt").write_text("no recording")
    code, _, err = cascade("apply", fitted[1], "notes.txt")
    assert (code, "`notes.txt` is plain text" in err) == (2, True)
    assert cascade("apply", fitted[1], "missing.jsonl")[0] == 2


def test_one_half_of_the_recorded_run_saves_on_the_other_what_its_policy_predicts(
    reference: Path, tmp_path: Path, cascade: Command
) -> None:
    header, *lines = (reference / "qwen3-14b.greedy.jsonl").read_text(encoding="utf-8").splitlines()
    files = [tmp_path / f"half{number}.jsonl" for number in range(2)]
    for number, file in enumerate(files):
        file.write_text("\n".join([header, *lines[number::2]]), encoding="utf-8")
    run = imported(files[0], tmp_path / "half0.audit")
    code, out, _ = cascade("fit", run, "-o", "p.json", "--signals", "token_entropy_mean,recorded:density")
    assert code == 0
    assert "this cascade is not recommended" in out
    code, out, _ = cascade("apply", "p.json", files[1], "--json")
    document = json.loads(out)
    assert code == 0
    assert document["questions"] == 395
    assert document["predicted_saving"]["low"] <= document["saving"] <= document["predicted_saving"]["high"]


# In a user's own program


def test_the_package_root_gives_the_cascade(fitted: tuple[Path, Path]) -> None:
    decider = homogaudit.Cascade.load(fitted[1])
    asked: list[str] = []

    def density() -> float:
        asked.append("density")
        return 0.0

    decision = decider.decide({"token_entropy_mean": 50.0, "recorded:density": density})
    # Far above everything seen in training: flagged at once, and the second signal is never computed.
    assert (decision.flagged, decision.stage, decision.cost, asked) == (True, "token_entropy_mean", 0.0, [])


def test_the_cascade_is_imported_when_it_is_asked_for() -> None:
    script = (
        "import sys, homogaudit; before = 'homogaudit.cascade' in sys.modules or 'numpy' in sys.modules; "
        "homogaudit.Cascade; print(before, 'homogaudit.cascade' in sys.modules, 'sklearn' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert result.stdout.split() == ["False", "True", "False"]
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = homogaudit.Nothing  # type: ignore[attr-defined]
