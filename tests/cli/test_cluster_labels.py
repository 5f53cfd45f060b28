"""Whole questions judged by a person: the sample, the file that comes back, and what the report makes of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homogaudit.cli.app import run_app
from homogaudit.store import RunFile

SINGLE, SEVERAL = 36, 44
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_app([*map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def run_path(call: Call, tmp_path: Path) -> Path:
    """Eighty questions of three recorded answers; those of the first 36 are one text."""
    lines: list[dict[str, Any]] = [{"format": "homogaudit.recorded", "version": 1, "model": "tiny"}]
    for number in range(SINGLE + SEVERAL):
        texts = ["it is so"] * 3 if number < SINGLE else ["one two", "three four", "five six"]
        lines.append({"id": f"q{number}", "question": f"What is {number}?", "samples": [{"text": x} for x in texts]})
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, lines)))
    path = tmp_path / "run.audit"
    assert call("import", "answers.jsonl", "-o", path, "--no-embedder", "-q")[0] == 0
    return path


def figures(out: str) -> dict[str, Any]:
    report: Any = json.loads(out)
    return report["homogenization"]["methods"][report["homogenization"]["primary"]]


def judged(path: Path, target: Path) -> None:
    """Judge the sample: 6 of the single ones have several meanings, 3 of the others have one."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    single = [row for row in rows if len(set(row["answers"])) == 1]
    several = [row for row in rows if len(set(row["answers"])) > 1]
    for place, row in enumerate(single):
        row["one_meaning"] = place >= 6
    for place, row in enumerate(several):
        row["one_meaning"] = place < 3
    target.write_text("\n".join(map(json.dumps, rows)))


def test_a_sample_is_seeded_has_both_kinds_and_does_not_tell_which_is_which(call: Call, run_path: Path, tmp_path: Path):
    code, _, err = call("report", run_path, "--sample-clusters", "sample.jsonl")
    assert (code, err) == (0, "wrote 60 questions to judge to `sample.jsonl`\n")
    text = (tmp_path / "sample.jsonl").read_text()
    assert call("report", run_path, "--sample-clusters", "-")[1] == text
    rows = [json.loads(line) for line in text.splitlines()]
    assert len({row["id"] for row in rows}) == 60
    assert {tuple(row) for row in rows} == {("id", "question", "answers", "one_meaning")}
    assert {row["one_meaning"] for row in rows} == {None}
    kinds = [len(set(row["answers"])) == 1 for row in rows]
    assert sum(kinds) == 30
    # Neither kind stands first.
    assert 0 < sum(kinds[:30]) < 30


def test_labels_correct_the_rate_and_stay_over_later_scorings(call: Call, run_path: Path, tmp_path: Path):
    before = figures(call("report", run_path, "--json")[1])
    reason = "no questions are labelled as one meaning or several"
    assert before["corrected_rate"] == {"value": None, "reason": reason}
    call("report", run_path, "--sample-clusters", "sample.jsonl")
    judged(tmp_path / "sample.jsonl", tmp_path / "labels.jsonl")
    code, out, err = call("score", run_path, "--label-clusters", "labels.jsonl", "--no-embedder", "--json", "-q")
    assert (code, err) == (0, "")
    found = figures(out)
    # 36 of 80 are single; 24 of 30 and 3 of 30 have one meaning: 0.45 * 0.8 + 0.55 * 0.1.
    assert found["scr"]["value"] == 0.45
    assert found["corrected_rate"]["value"] == pytest.approx(0.415, abs=1e-12)
    assert found["corrected_rate"]["n"] == 60
    assert found["corrected_rate"]["low"] < 0.415 < found["corrected_rate"]["high"]
    assert found["sensitivity"]["value"] == pytest.approx(0.36 / 0.415, abs=1e-12)
    assert found["specificity"]["value"] == pytest.approx(0.495 / 0.585, abs=1e-12)
    again = figures(call("score", run_path, "--no-embedder", "--json", "-q")[1])
    assert again["corrected_rate"] == found["corrected_rate"]
    short = " ".join(call("report", run_path)[1].split())
    assert "By hand Corrected to 41.5% [" in short
    assert "by 60 questions labelled as a whole" in short
    # They are a sample by what one clustering found, and say nothing of another.
    other = figures(call("score", run_path, "--no-embedder", "--clustering", "jaccard=0.2/leader", "--json", "-q")[1])
    assert other["corrected_rate"]["reason"] == "the labelled questions are a sample by another clustering"


def test_the_size_of_a_sample_is_chosen_and_small_runs_give_all_they_have(call: Call, run_path: Path, tmp_path: Path):
    assert call("report", run_path, "--sample-clusters", "s.jsonl", "-n", "55")[2] == (
        "wrote 55 questions to judge to `s.jsonl`\n"
    )
    assert len((tmp_path / "s.jsonl").read_text().splitlines()) == 55
    # 36 of 80 have one cluster, so 44 is all that there is of the others.
    rows = call("report", run_path, "--sample-clusters", "-", "--sample-size", "80")[1].splitlines()
    assert sum(len(set(json.loads(row)["answers"])) == 1 for row in rows) == SINGLE
    for size, message in (("49", "a sample of `49` questions"), ("81", "`run.audit` has `80` clustered questions")):
        code, _, err = call("report", run_path.name, "--sample-clusters", "-", "-n", size)
        assert (code, message in err) == (2, True)
    code, _, err = call("report", run_path, "-n", "60")
    assert (code, err.splitlines()[0]) == (2, "error: `--sample-size` is that of `--sample-clusters`")


def test_labels_of_a_table_are_those_of_json_lines(call: Call, run_path: Path, tmp_path: Path):
    words = ["true", "No", "one", "several", "1", "0", " yes ", "FALSE", "y", "n"]
    lines = [f"q{number},note,{words[number % 10]}" for number in range(60)]
    (tmp_path / "labels.csv").write_text("\ufeffID,remark,label\r\n" + "\r\n".join(lines))
    assert call("score", run_path, "--label-clusters", "labels.csv", "--no-embedder", "--json", "-q")[0] == 0
    with RunFile.open(run_path) as run:
        assert run.cluster_labels is not None
        assert run.cluster_labels.one_meaning == {f"q{number}": number % 2 == 0 for number in range(60)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,said\nq0,true", "`labels.csv` has no columns `id` and `label`"),
        ("", "`labels.csv` has no columns `id` and `label`"),
        ("id,label\nq0,maybe", "`labels.csv`, line 2: `maybe` is no label"),
        ("id,label\nq0", "`labels.csv`, line 2: `` is no label"),
        ("id,label\nq0,true\nq0,true", "`labels.csv`, line 3: question `q0` is there twice"),
        ("id,label\nx,true", "`labels.csv`, line 2: `run.audit` has no question `x`"),
        ('id,label\n"q0"x,true', "`labels.csv`, line 2 is not CSV"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line(call: Call, run_path: Path, tmp_path: Path, text: str, message: str):
    (tmp_path / "labels.csv").write_text(text)
    code, out, err = call("score", run_path.name, "--label-clusters", "labels.csv", "--no-embedder")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")


GOOD = [{"id": f"q{number}", "one_meaning": True} for number in range(60)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (GOOD[:49], "`labels.jsonl` labels `49` questions"),
        ([*GOOD, {"id": "x", "one_meaning": True}], "`labels.jsonl`, line 61: `run.audit` has no question `x`"),
        ([*GOOD, GOOD[0]], "`labels.jsonl`, line 61: question `q0` is there twice"),
        ([{"id": "q70", "one_meaning": None}, *GOOD], "`labels.jsonl`, line 1: `id` must be a text, and"),
        ([{"id": "q70", "one_meaning": 1}, *GOOD], "`labels.jsonl`, line 1: `id` must be a text, and"),
        ([[], *GOOD], "`labels.jsonl`, line 1: `id` must be a text, and"),
        ("id,one_meaning", "`labels.jsonl`, line 1 is not JSON"),
        (None, "cannot read `labels.jsonl`: no such file or directory"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line_and_nothing_is_scored(
    call: Call, run_path: Path, tmp_path: Path, rows: Any, message: str
):
    if rows is not None:
        text = rows if isinstance(rows, str) else "\n".join(map(json.dumps, rows))
        (tmp_path / "labels.jsonl").write_text(text)
    code, out, err = call("score", run_path.name, "--label-clusters", "labels.jsonl", "--no-embedder")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")
    with RunFile.open(run_path) as run:
        assert run.cluster_labels is None


def test_a_run_with_too_few_questions_gives_no_sample(call: Call, tmp_path: Path):
    line = {"id": "a", "question": "What?", "samples": [{"text": "x y"}, {"text": "x y"}]}
    header = {"format": "homogaudit.recorded", "version": 1, "model": "tiny"}
    (tmp_path / "few.jsonl").write_text(f"{json.dumps(header)}\n{json.dumps(line)}")
    call("import", "few.jsonl", "-o", "few.audit", "--no-embedder", "-q")
    code, _, err = call("report", "few.audit", "--sample-clusters", "sample.jsonl")
    assert code == 2
    assert "`few.audit` has `1` clustered questions" in err
    assert not (tmp_path / "sample.jsonl").exists()
