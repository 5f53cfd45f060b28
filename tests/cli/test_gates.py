"""Gates as flags of `report`, `run` and `score`: what is refused, and what a build server sees."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from junitparser import Failure, JUnitXml
from scipy.stats import binomtest

from homogaudit.cli.app import run_app
from homogaudit.records import Question
from homogaudit.store import RunFile

from ..report.conftest import JACCARD, RunBuilder

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def command(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_app([*map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


@pytest.fixture
def run_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a scored run of so many questions, some of which get one answer only."""

    def run_file(questions: int, single: int, first: int = 0, asked: str = "Question") -> Path:
        path = tmp_path / f"{asked}_{single}_of_{questions}_from_{first}.audit"
        builder = RunBuilder(path, [Question(str(n), f"{asked} {n}?") for n in range(questions)])
        ones = range(first, first + single)
        for n in range(questions):
            builder.draw(n, ["one", "one" if n in ones else "two", "one"])
        builder.cluster({n: (0, 0, 0) if n in ones else (0, 1, 0) for n in range(questions)})
        builder.score(JACCARD).close()
        return path

    return run_file


@pytest.fixture
def recording(tmp_path: Path) -> Callable[[int, int], Path]:
    """Return a function that imports a recording of the same questions and answers."""

    def recording(questions: int, single: int) -> Path:
        lines = [
            {"question": f"Question {n}?", "samples": ["one", "one" if n < single else "two", "one"]}
            for n in range(questions)
        ]
        file = tmp_path / f"{single}.jsonl"
        file.write_text("\n".join(map(json.dumps, lines)))
        assert run_app(["import", str(file), "-o", f"{single}.audit", "--no-embedder", "-q"]) == 0
        return file.with_suffix(".audit")

    return recording


def test_a_homogenized_recording_fails_a_diverse_one_passes_and_one_between_says_what_it_needs(
    command: Command, recording: Callable[[int, int], Path]
):
    # The ends of Clopper and Pearson's intervals lie above, below, and on both sides of 5%.
    ends = [binomtest(k, 200).proportion_ci(0.95, method="exact") for k in (60, 1, 5)]
    assert ends[0].low > 0.05 and ends[1].high < 0.05 and ends[2].low < 0.05 < ends[2].high
    found = [command("report", recording(200, k), "--max-scr", "0.05", "--junit", f"{k}.xml") for k in (60, 1, 5)]
    assert [code for code, _, _ in found] == [1, 0, 1]
    assert found[0][2].startswith("error: `--max-scr 0.05` failed: SCR 0.300 [")
    assert found[1][2].startswith("`--max-scr 0.05` passed: SCR 0.005 [0.000, 0.028] (1 of 200)")
    assert found[2][2].startswith(
        "error: `--max-scr 0.05` not shown: SCR 0.025 [0.008, 0.057] (5 of 200)\nhint: about "
    )
    assert "Gates    `--max-scr 0.05` not shown" in found[2][1]
    read = [next(iter(next(iter(JUnitXml.fromfile(f"{k}.xml"))))) for k in (60, 1, 5)]
    assert [[(type(x), x.type) for x in case.result] for case in read] == [
        [(Failure, "failed")],
        [],
        [(Failure, "not shown")],
    ]


def test_score_judges_its_report_and_writes_over_a_file_only_if_told(command: Command, run_file: Callable[..., Path]):
    run = run_file(80, 0)
    code, out, err = command("score", run, "--no-embedder", "--max-scr", "0.05", "--junit", "g.xml", "--json", "-q")
    assert code == 0 and json.loads(out)["gates"][0]["state"] == "passed"
    assert err.splitlines()[-1].startswith("`--max-scr 0.05` passed")
    code, _, err = command("score", run, "--max-scr", "0.05", "--junit", "g.xml")
    assert (code, err.splitlines()[0]) == (2, "error: `g.xml` exists")
    again = ("--max-scr", "0.01", "--junit", "g.xml", "--force", "-q")
    assert command("score", run, "--no-embedder", *again)[0] == 1


def test_a_junit_file_may_be_all_that_is_printed(command: Command, run_file: Callable[..., Path]):
    code, out, _ = command("report", run_file(80, 0), "--fail-on", "invalid", "--junit", "-")
    assert code == 0
    assert next(iter(JUnitXml.fromstring(out))).tests == 1


def test_a_rate_is_held_against_that_of_an_earlier_run_on_the_same_questions(
    command: Command, run_file: Callable[..., Path]
):
    # 20 single clusters before; after: the same 20, 10 others beside them, and 40 others in their place.
    earlier, more, worse = (run_file(200, k, first) for k, first in ((20, 0), (30, 0), (40, 20)))
    same = Path(shutil.copy(earlier, "same.audit"))
    found = {x: command("report", x, "--no-worse-than", earlier) for x in (same, more, worse)}
    assert [code for code, _, _ in found.values()] == [0, 1, 1]
    # Without discordant questions Tango's upper end is z^2 / (n + z^2).
    high = 1.959964**2 / (200 + 1.959964**2)
    said = f"SCR difference 0.000 [-{high:.3f}, {high:.3f}] (20 against 20 of 200 paired questions)"
    assert found[same][2] == f"`--no-worse-than {earlier.name} --margin 0.05` passed: {said}\n"
    # 10 of 200 more is 0.05 more; the interval of 40 new ones against 20 gone is [0.03, 0.17].
    assert "not shown: SCR difference 0.050 [0.0" in found[more][2]
    assert "not shown: SCR difference 0.100 [0.0" in found[worse][2]
    code, _, err = command("report", worse, "--no-worse-than", earlier, "--margin", "0.02")
    assert code == 1 and "--margin 0.02` failed: " in err
    assert command("report", worse, "--no-worse-than", earlier, "--gate-on", "estimate", "--margin", "0.1")[0] == 0


def test_a_run_that_compare_would_refuse_cannot_be_judged(command: Command, run_file: Callable[..., Path]):
    earlier, other = run_file(60, 5), run_file(60, 5, asked="Please")
    code, out, err = command("report", other, "--no-worse-than", earlier, "--json")
    assert code == 1
    (gate,) = json.loads(out)["gates"]
    assert gate["state"] == "cannot be judged" and "in other words or with another context" in gate["reason"]
    assert command("compare", earlier, other)[0] == 2
    assert "cannot be judged" in err and "the report says" not in err


def test_an_earlier_run_that_is_none_is_told_before_anything_is_drawn(
    command: Command, run_file: Callable[..., Path], tmp_path: Path
):
    run, earlier = run_file(60, 5), run_file(30, 5)
    assert command("score", run, "--no-worse-than", "absent")[2].startswith("error: no run `absent`")
    with RunFile.open(earlier, writable=True) as stored:
        stored.set_meta("status", "started")
    code, _, err = command("report", run, "--no-worse-than", earlier)
    assert (code, err.partition(",")[0]) == (2, f"error: `{earlier}` is not complete")
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    (tmp_path / "asked.txt").write_text("Who are you?\n")
    code, _, err = command("run", "model.gguf", "asked.txt", "--no-embedder", "--no-worse-than", run, "-o", "new.audit")
    assert code == 2 and f"error: `{run}` has none of the questions of this run" in err
    assert not Path("new.audit").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--max-missed", "1.5"], "`--max-missed` must lie between 0 and 1, not `1.5`"),
        (["--min-auroc", "density"], "`--min-auroc` is `density`"),
        (["--min-auroc", "=0.5"], "`--min-auroc` is `=0.5`"),
        (["--min-auroc", "density=high"], "`--min-auroc` is `density=high`"),
        (["--min-auroc", "density=nan"], "`--min-auroc density` must lie between 0 and 1, not `nan`"),
        (["--min-auroc", "density=0.5", "--min-auroc", "density=0.6"], "`--min-auroc` names `density` twice"),
        (["--min-auroc", "densty=0.5"], "unknown signal `densty` in `--min-auroc`"),
        (["--fail-on", "severe"], "`--fail-on` is `severe`"),
        (["--gate-on", "mean", "--max-scr", "0.1"], "`--gate-on` is `mean`"),
        (["--gate-on", "estimate"], "`--gate-on` is about gates, and there is none"),
        (["--margin", "0.1"], "`--margin` belongs to `--no-worse-than`"),
        (["--no-worse-than", "absent", "--margin", "2"], "`--margin` must lie between 0 and 1, not `2`"),
        (["--no-worse-than", "absent"], "no run `absent`"),
        (["--junit", "gates.xml"], "`--junit` is about gates, and there is none"),
        (["--max-scr", "0.1", "--junit", "-"], "`--junit -` would print into the report"),
        (["--max-scr", "0.1", "--junit", "absent/gates.xml"], "cannot write `absent/gates.xml`"),
    ],
)
def test_a_gate_that_is_none_is_refused_before_a_server_is_contacted(command: Command, flags: list[str], message: str):
    # Nothing listens there: contacting it is exit code 3, as is a folder that is not there.
    code, _, err = command("run", "http://127.0.0.1:9/v1", "factual", *flags)
    assert err.startswith(f"error: {message}")
    assert code == (3 if "cannot write" in message else 2)


def test_a_signal_that_came_with_the_answers_can_be_a_gate(command: Command, tmp_path: Path):
    lines = [
        {"question": f"Question {n}?", "samples": ["one", "two"], "label": "correct" if n % 2 else "incorrect"}
        | {"signals": {"mine": n % 4 + (n % 3 == 0)}}
        for n in range(60)
    ]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert command("import", "mine.jsonl", "-o", "mine.audit", "--no-embedder", "-q")[0] == 0
    code, _, err = command("report", "mine.audit", "--min-auroc", "mine=0.99")
    assert (code, err.partition(":")[2].partition(":")[0]) == (1, " `--min-auroc mine=0.99` failed")
    code, _, err = command("report", "mine.audit", "--min-auroc", "mime=0.99")
    assert (code, err) == (2, "error: unknown signal `mime` in `--min-auroc`\nhint: did you mean `mine`?\n")
