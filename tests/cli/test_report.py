"""`homogaudit report` on a real run, on an unfinished one, and on one that somebody else wrote."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from junitparser import Error, JUnitXml

from homogaudit.cli.app import run_app
from homogaudit.report.json import schema
from homogaudit.store import RunFile

QUESTIONS = [
    {"question": "What do bees make?", "answers": ["honey"]},
    {"question": "Where is Rome?", "answers": ["Italy"]},
    {"question": "What is ice made of?", "answers": ["water"]},
]


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(folder))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    """A run of the packaged model, drawn once."""
    folder = tmp_path_factory.mktemp("drawn")
    questions = folder / "questions.jsonl"
    questions.write_text("\n".join(map(json.dumps, QUESTIONS)))
    target = folder / "drawn.audit"
    short = ["-n", "2", "--max-tokens", "6", "--no-embedder", "--threads", "1", "-q"]
    assert run_app(["run", str(demo_model), str(questions), "-o", str(target), *short]) == 0
    return target


@pytest.fixture
def run_path(drawn: Path, runs: Path) -> Path:
    return Path(shutil.copy(drawn, runs / "drawn.audit"))


def unfinish(path: Path) -> None:
    """Make a run look as if it had been killed."""
    with RunFile.open(path, writable=True) as run:
        run.set_meta("status", "started")
        run._connection.execute("DELETE FROM generations WHERE position = 2")  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def report(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_app(["report", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return report


Report = Callable[..., tuple[int, str, str]]


def valid(text: str) -> Any:
    built = json.loads(text)
    Draft202012Validator(schema()).validate(built)
    return built


def test_the_json_of_a_real_run_is_what_the_schema_says(report: Report, run_path: Path):
    code, out, err = report(run_path, "--json")
    assert (code, err) == (0, "")
    built = valid(out)
    assert built["run"]["status"] == "complete"
    assert built["run"]["questions"] == built["validity"]["questions"] == 3
    # 3 questions x 2 samples.
    assert built["validity"]["samples"] == 6
    assert built["homogenization"]["methods"]["jaccard"]["scr"]["n"] == 3
    assert built["verdict"]["level"] == "not judged"


def test_an_unfinished_run_is_reported_with_exit_code_4(report: Report, run_path: Path):
    unfinish(run_path)
    code, out, err = report(run_path)
    assert code == 4
    assert out.startswith("Homogenization: not judged")
    told = "is not complete: 2 of 3 questions are drawn\nhint: run its command again to continue\n"
    assert err == f"error: `{run_path}` {told}"
    code, out, err = report(run_path, "--json")
    assert code == 4
    assert valid(out)["run"]["status"] == "started"
    assert err.startswith("error: ")


def test_an_imported_run_that_is_not_scored_is_told_to_score(report: Report, make_run: Callable[..., RunFile]):
    with make_run(recorded=True) as run:
        path = run.path
    code, _, err = report(path)
    told = "is not complete: all 2 questions are drawn, 0 of them scored\nhint: continue with"
    assert (code, err) == (4, f"error: `{path}` {told} `homogaudit score {path}`\n")


def test_the_newest_run_is_meant_where_none_is_named(report: Report, run_path: Path, runs: Path):
    older = Path(shutil.copy(run_path, runs / "older.audit"))
    with RunFile.open(older, writable=True) as run:
        run.set_meta("model", "an older one")
    os.utime(older, (1, 1))
    code, out, _ = report("--json")
    assert (code, json.loads(out)["run"]["model"]) == (0, "SmolLM2-135M-Instruct.Q4_1")
    assert json.loads(report("older", "--json")[1])["run"]["model"] == "an older one"


def test_markdown_has_headings_and_no_more_than_text(report: Report, run_path: Path):
    code, out, err = report(run_path, "--markdown")
    assert (code, err) == (0, "")
    assert out.startswith("# ")
    assert "\n## " in out
    assert "\x1b" not in out
    assert out.endswith("\n")


def test_the_full_report_holds_the_short_one(report: Report, run_path: Path):
    short, full = report(run_path)[1], report(run_path, "--full")[1]
    assert len(full) >= len(short)
    assert max(map(len, full.splitlines())) <= 80


@pytest.mark.parametrize(
    ("gate", "code"),
    # A report of three questions is not judged, and passes no gate however loose.
    [("1", 1), ("0", 1), ("-0.1", 2), ("1.5", 2), ("nan", 2)],
)
def test_a_gate_on_an_audit_that_is_not_judged_fails_and_one_that_is_no_rate_is_refused(
    report: Report, run_path: Path, gate: str, code: int
):
    found, out, err = report(run_path, "--max-scr", gate)
    assert found == code
    assert "Traceback" not in err
    assert bool(out) == (code == 1)


def test_a_gate_passes_or_fails_by_the_interval_of_the_primary_scr(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    # Twelve questions, three of which get the same two answers: SCR 3 of 12.
    lines = [
        {"id": str(n), "question": f"Question {n}?", "samples": [{"text": "one"}, {"text": "one" if n < 3 else "two"}]}
        for n in range(12)
    ]
    (tmp_path / "twelve.jsonl").write_text("\n".join(map(json.dumps, lines)))
    target = tmp_path / "twelve.audit"
    assert run_app(["import", "twelve.jsonl", "-o", str(target), "--no-embedder", "-q"]) == 0
    # Clopper and Pearson's interval of 3 of 12 is [0.0549, 0.5719]: a gate within it is neither kept nor broken.
    code, _, err = report(target, "--max-scr", "0.05")
    assert (code, err) == (1, "error: `--max-scr 0.05` failed: SCR 0.250 [0.055, 0.572] (3 of 12)\n")
    for gate in ("0.24", "0.571"):
        code, _, err = report(target, "--max-scr", gate)
        said = f"error: `--max-scr {gate}` not shown: SCR 0.250 [0.055, 0.572] (3 of 12)\nhint: about "
        assert (
            code == 1
            and err.startswith(said)
            and err.endswith(" questions would decide, with a probability of 80% if the true value is 0.250\n")
        )
    # By the estimate alone three of twelve would do.
    code, _, err = report(target, "--max-scr", "0.25", "--gate-on", "estimate")
    assert code == 0 and err.startswith("`--max-scr 0.25` passed: SCR 0.250")
    assert report(target, "--max-scr", "0.572")[0] == 0
    # Under `--json` stdout holds one object whatever the gate says.
    code, out, err = report(target, "--max-scr", "0.24", "--json")
    assert code == 1
    assert valid(out)["homogenization"]["methods"]["jaccard"]["scr"]["k"] == 3
    assert json.loads(out)["gates"][0]["state"] == "not shown"
    assert err.startswith("error: `--max-scr 0.24` not shown: SCR 0.250")
    # An unfinished run is not judged at all, and its JUnit file says so.
    with RunFile.open(target, writable=True) as run:
        run.set_meta("status", "started")
    assert report(target, "--max-scr", "0.24", "--junit", "gates.xml")[0] == 4
    (case,) = next(iter(JUnitXml.fromfile("gates.xml")))
    assert [type(x) for x in case.result] == [Error]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent"], "no run `absent`"),
        (["."], "`.` is a folder"),
        (["text.audit"], "`text.audit` is not a run file"),
        (["drawn", "--judge", "overlap"], "the run holds no labels of judge `overlap`"),
        (["drawn", "--judge", "me"], "the run holds no labels of judge `me`"),
    ],
)
def test_a_run_that_is_none_is_exit_code_2(
    arguments: list[str], message: str, report: Report, run_path: Path, tmp_path: Path
):
    (tmp_path / "text.audit").write_text("This is no run.\n" * 100)
    code, out, err = report(*arguments)
    assert code == 2
    shown = json.loads(out)["error"]["message"] if "--json" in arguments else err.removeprefix("error: ")
    assert shown.startswith(message)
    assert "Traceback" not in out + err
    assert ("`homogaudit import`" in err) == (arguments == ["text.audit"])


def test_without_any_run_the_way_to_one_is_named(report: Report, runs: Path):
    code, _, err = report()
    assert code == 2
    assert err.startswith(f"error: no runs in `{runs}`\nhint: `homogaudit run demo` makes one")


NASTY = "\x1b[31m[bold]red[/bold]\x07 \x9b2J\x1b]0;title\x07 <script>x</script> | `a` \u202e"


def test_what_a_model_says_prints_as_text(
    report: Report, tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture[str]
):
    lines: list[dict[str, Any]] = [{"format": "homogaudit.recorded", "version": 1, "model": NASTY}]
    lines += [
        {
            "id": f"{NASTY} {n}",
            "question": f"{NASTY} {n}?",
            "category": NASTY,
            "greedy": {"text": f"{NASTY} {n}"},
            "samples": [{"text": f"{NASTY} {n}"}, {"text": f"[link=http://x]{n}[/link] {NASTY}"}],
            "label": "correct" if n % 2 else "incorrect",
            "signals": {NASTY: n / 12},
        }
        for n in range(12)
    ]
    (tmp_path / "nasty.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert run_app(["import", "nasty.jsonl", "-o", "nasty.audit", "--no-embedder"]) == 0
    shown = capsys.readouterr()
    for arguments in ([], ["--full"], ["--markdown"], ["--json"]):
        code, out, err = report("nasty.audit", *arguments)
        assert (code, err) == (0, "")
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(out)
        # Markdown has its own brackets, and so they are escaped there.
        if arguments != ["--json"]:
            assert "[bold]red[/bold]" in out.replace("\\", "")
    run_app(["runs", "show", "./nasty.audit"])
    run_app(["export", "nasty.audit"])
    exported = capsys.readouterr()
    for text in (shown.out, shown.err, exported.out, exported.err):
        assert not {"\x1b", "\x07", "\x9b"} & set(text)


# Files


def test_questions_are_written_as_the_three_kinds_of_table(report: Report, run_path: Path, tmp_path: Path):
    for name in ("q.csv", "q.jsonl", "q.parquet"):
        assert report(run_path, "--questions", name) == (0, "", f"wrote 3 questions to `{name}`\n")
    rows = [json.loads(line) for line in Path("q.jsonl").read_text().splitlines()]
    assert [row["question"] for row in rows] == [x["question"] for x in QUESTIONS]
    assert rows == list(map(json.loads, report(run_path, "--questions", "-")[1].splitlines()))
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table("q.parquet").to_pylist() == rows
    assert Path("q.csv").read_bytes().startswith(b"id,question,category,")


def test_questions_can_be_chosen_by_what_is_known_of_them(
    report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    lines = [
        {"id": f"q{n}", "question": f"Q{n}?", "category": "ab"[n % 2], "label": ["incorrect", "correct"][n // 2 % 2]}
        | {"greedy": "yes", "samples": ["yes it is", "yes it is" if n < 3 else "no way at all"]}
        for n in range(8)
    ]
    source = tmp_path / "recorded.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)))
    assert run_app(["import", str(source), "-o", "chosen.audit", "--no-embedder", "-q"]) == 0

    def chosen(*flags: str) -> list[str]:
        code, out, _ = report("chosen.audit", "--questions", "-", *flags)
        assert code == 0
        return [json.loads(line)["id"] for line in out.splitlines()]

    assert chosen() == [f"q{n}" for n in range(8)]
    assert chosen("--one-cluster") == ["q0", "q1", "q2"]
    assert chosen("--wrong") == ["q0", "q1", "q4", "q5"]
    assert chosen("--wrong", "--one-cluster") == ["q0", "q1"]
    assert chosen("--wrong", "--one-cluster", "--category", "b") == ["q1"]
    code, out, err = report("chosen.audit", "--questions", "-", "--category", "c")
    assert (code, out) == (2, "")
    assert err == "error: no question has the category `c`\nhint: categories: `a`, `b`\n"


def test_a_table_can_be_written_while_the_report_is_printed(report: Report, run_path: Path):
    code, out, err = report(run_path, "--json", "--questions", "q.csv")
    assert (code, err) == (0, "wrote 3 questions to `q.csv`\n")
    assert valid(out)["validity"]["questions"] == 3
    code, out, _ = report(run_path, "--markdown", "--questions", "q.csv", "--force")
    assert (code, out.startswith("# ")) == (0, True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--json", "--markdown"], "`--json` and `--markdown` both print to standard output"),
        (["--json", "--questions", "-"], "`--json` and `--questions -` both print to standard output"),
        (["--html", "-", "--questions", "-"], "`--html -` and `--questions -` both print to standard output"),
        (["--html", "-", "--open"], "`--open` opens a file, and `--html -` writes none"),
        (["--html", "x.csv", "--questions", "./x.csv"], "`--html` and `--questions` would both write `x.csv`"),
        (["--wrong"], "`--wrong` chooses rows of `--questions`"),
        (["--category", "a", "--json"], "`--category` chooses rows of `--questions`"),
        (["--questions", "q.xlsx"], "`q.xlsx` does not say which kind of table to write"),
        (["--questions", "folder.csv"], "`folder.csv` is a folder"),
        (["--questions", "there.csv"], "`there.csv` exists"),
        (["--questions", "copy.csv", "--force"], "`copy.csv` is a run file and would be overwritten"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(
    report: Report, run_path: Path, flags: list[str], message: str
):
    Path("folder.csv").mkdir()
    Path("there.csv").write_text("mine")
    shutil.copy(run_path, "copy.csv")
    code, out, err = report(run_path, *flags)
    shown = json.loads(out)["error"]["message"] if "--json" in flags else err.removeprefix("error: ").splitlines()[0]
    assert (code, shown) == (2, message)
    assert Path("there.csv").read_text() == "mine"
    assert Path("copy.csv").read_bytes() == run_path.read_bytes()


def test_a_missing_folder_is_told_and_an_existing_file_goes_only_with_force(report: Report, run_path: Path):
    code, _, err = report(run_path, "--questions", "absent/q.csv")
    assert (code, err.splitlines()[0]) == (3, "error: cannot write `absent/q.csv`: there is no folder `absent`")
    Path("q.csv").write_text("mine")
    assert report(run_path, "--questions", "q.csv", "--force")[0] == 0
    assert Path("q.csv").read_bytes().startswith(b"id,")
    assert sorted(x.name for x in Path().glob(".q.csv*")) == []


def test_the_page_is_written_printed_and_opened(report: Report, run_path: Path, monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    assert report(run_path, "--html", "r.html", "--questions", "q.csv")[::2] == (
        0,
        "wrote 3 questions to `q.csv`\nwrote the report to `r.html`\n",
    )
    page = Path("r.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and QUESTIONS[0]["question"] in page
    assert not opened
    assert report(run_path, "--html", "-")[1] == page
    code, out, _ = report(run_path, "--html", "r.html", "--force", "--open", "--json")
    assert (code, opened, bool(valid(out))) == (0, [Path("r.html").resolve().as_uri()], True)
    assert report(run_path, "--open")[:2] == (0, "")
    assert opened[1].endswith("report.html")


def test_a_table_of_an_unfinished_run_has_all_questions_and_exit_code_4(report: Report, run_path: Path):
    unfinish(run_path)
    code, _, err = report(run_path, "--questions", "q.jsonl")
    assert code == 4
    assert err.startswith("wrote 3 questions to `q.jsonl`\nerror: ")
    rows = [json.loads(line) for line in Path("q.jsonl").read_text().splitlines()]
    assert [row["drawn"] for row in rows] == [True, True, False]
    assert rows[2]["why_not"] == "unfinished: 0 of 2 samples are drawn"


def test_a_gate_is_checked_beside_a_table(report: Report, run_path: Path):
    code, out, err = report(run_path, "--questions", "q.csv", "--max-scr", "0.5")
    assert (code, out) == (1, "")
    assert err.startswith("wrote 3 questions to `q.csv`\nerror: `--max-scr 0.5` cannot be judged: only 3")


def test_a_card_and_a_badge_are_written_beside_each_other_in_place_of_the_report(report: Report, run_path: Path):
    code, out, err = report(run_path, "--model-card", "card.md", "--badge", "badge.svg")
    assert (code, out, err) == (0, "", "wrote the model card to `card.md`\nwrote the badge to `badge.svg`\n")
    assert Path("badge.svg").read_text().startswith("<svg ")
    assert report(run_path, "--model-card", "-")[1] == Path("card.md").read_text()
    assert report(run_path, "--badge", "badge.svg")[0] == 2
