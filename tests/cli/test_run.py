"""`homogaudit run`: the audit of the packaged model, and every bad input that it can be given."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from homogaudit.cli.app import run_app
from homogaudit.records import GREEDY
from homogaudit.store import RunFile, RunLock
from homogaudit.store.run_lock import lock_owner

from ..patience import PATIENCE

# One thread: llama.cpp's threads wait for each other in a loop, which is slow where other tests keep the cores busy.
SHORT = ["-n", "2", "--max-tokens", "4", "--no-embedder", "--slots", "2", "--threads", "1"]
SLOW = ["-n", "9", "--max-tokens", "4", "--no-embedder", "--slots", "1", "--threads", "1"]
"""20 answers one after the other."""

QUESTIONS = [
    {"question": "What do bees make?", "answers": ["honey"]},
    {"question": "Where is Rome?", "answers": ["Italy"]},
]


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("\n".join(map(json.dumps, QUESTIONS)))
    return path


class Result:
    """What one command gave."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def error(self) -> str:
        """The error line; nothing but its hint stands behind it, and no traceback anywhere."""
        assert "Traceback" not in self.out + self.err
        *before, error, hint = self.err.splitlines()
        assert not any(line.startswith(("error:", "hint:")) for line in before)
        assert error.startswith("error: ")
        assert hint.startswith("hint: ")
        return error.removeprefix("error: ")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Return a function that runs `homogaudit run` in this process; the engine is one of its own anyway."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = run_app(["run", *map(str, arguments)])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


Run = Callable[..., Result]


def keys(path: Path) -> set[tuple[str, int]]:
    with RunFile.open(path) as stored:
        return stored.generation_keys()


def texts(path: Path) -> dict[tuple[str, int], str]:
    with RunFile.open(path) as stored:
        return {
            (s.question.id, g.sample_index): g.text
            for s in stored.sample_sets()
            for g in [*([s.greedy] if s.greedy else []), *s.samples]
        }


def left_over(folder: Path) -> set[str]:
    """What lies in a folder but the speeds of its runs, which stay for the next."""
    return {path.name for path in folder.iterdir()} - {"bench.json"} if folder.is_dir() else set()


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Path:
    """A finished run of the packaged model, drawn once."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))
    target = folder / "demo.audit"
    command = ["run", str(demo_model), str(folder / "questions.jsonl"), "-o", str(target), *SHORT]
    assert run_app(command) == 0
    assert left_over(folder) == {"demo.audit", "questions.jsonl"}
    return target


@pytest.fixture
def finished(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(finished_run, tmp_path / "demo.audit"))


# The whole path


def test_an_audit_draws_scores_and_reports(run: Run, questions: Path, runs: Path, demo_model: Path):
    result = run(demo_model, questions, *SHORT)
    assert result.code == 0
    assert result.out.startswith("Homogenization: ")
    assert "Homogenization: not judged" in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    # Named after the model and the questions, and nothing is left beside it.
    (target,) = runs.glob("*.audit")
    assert f"-{questions.stem}-20" in target.name
    assert result.err.splitlines()[0] == f"run: {target}"
    assert "2 questions, 6 answers: at most 24 passes" in result.err
    with RunFile.open(target) as stored:
        assert stored.status == "complete"
        assert len(stored.generation_keys()) == 6
        assert stored.meta("scoring")["judge"] == "exact"


def test_a_run_for_the_rate_alone_draws_less_of_the_same_and_can_be_continued(
    run: Run, tmp_path: Path, demo_model: Path
):
    questions, target, plain = tmp_path / "six.jsonl", tmp_path / "rate.audit", tmp_path / "plain.audit"
    asked = [
        "What do bees make?",
        "Where is Rome?",
        "Name a color.",
        "Why is the sky blue?",
        "What is 2 + 2?",
        "Hello?",
    ]
    questions.write_text("".join(json.dumps({"question": text}) + "\n" for text in asked))
    # One answer at a time: in batches of other answers the last bits of logits differ, and some answers with them.
    flags = ["-n", "6", "--max-tokens", "6", "--no-embedder", "--slots", "1", "--threads", "1", "--full"]
    result = run(demo_model, questions, "-o", target, "--rate-only", "--audit-share", "0.2", *flags)
    assert result.code == 0
    first = texts(target)
    with RunFile.open(target) as stored:
        assert stored.progress().state == "rate only"
        stopped = {x for x, look in stored.first_looks().items() if look.stops}
        audited = stored.rate_rule.audited(x.id for x in stored.questions())
    # At temperature 1 the small model says something else nearly each time.
    assert len(audited) == 2 and len(stopped) >= 2
    assert len(first) == 6 * 7 - 3 * len(stopped)
    assert f"{len(stopped)} of 6 questions were drawn no further than 3 samples" in " ".join(result.out.split())
    # Nothing more is drawn by the same command.
    assert run("--rate-only", "--audit-share", "0.2", demo_model, questions, "-o", target, *flags).code == 0
    assert texts(target) == first
    assert run(demo_model, questions, "-o", target, "--continue", *flags).code == 0
    assert run(demo_model, questions, "-o", plain, *flags).code == 0
    whole = texts(target)
    assert whole.items() > first.items()
    assert texts(plain) == whole


def test_the_same_command_on_a_finished_run_draws_nothing(run: Run, finished: Path, questions: Path, demo_model: Path):
    before = texts(finished)
    result = run(demo_model, questions, "-o", finished, *SHORT)
    assert result.code == 0
    assert result.out.startswith("Homogenization: ")
    assert "loading" not in result.err
    assert texts(finished) == before


def test_settings_hold_for_a_new_run_and_a_run_that_goes_on_keeps_its_own(
    run: Run, questions: Path, tmp_path: Path, demo_model: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = tmp_path / "configuration" / "homogaudit" / "models.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[settings]\nsamples = 2\nmax_tokens = 4\njudge = "overlap"\nslots = 2\nthreads = 1\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(settings.parents[1]))
    target = tmp_path / "mine.audit"
    assert run(demo_model, questions, "-o", target, "--no-embedder").code == 0
    with RunFile.open(target) as stored:
        assert stored.parameters["decoding"]["samples"] == 2
        assert stored.parameters["decoding"]["max_tokens"] == 4
        assert stored.scoring is not None
        assert stored.scoring.judge == "overlap"
        assert stored.scoring.judge_reason == f"chosen by `{settings}`"
    before = texts(target)
    settings.write_text("[settings]\nsamples = 3\nmax_tokens = 5\n")
    assert run(demo_model, questions, "-o", target, "--no-embedder").code == 0
    assert texts(target) == before
    monkeypatch.setenv("HOMOGAUDIT_JUDGE", "exat")
    assert run(demo_model, questions, "--no-embedder").error == "unknown judge `exat` in `HOMOGAUDIT_JUDGE`"


def test_other_parameters_are_refused_and_named(run: Run, finished: Path, questions: Path, demo_model: Path):
    before = finished.read_bytes()
    result = run(demo_model, questions, "-o", finished, "-n", "3", "--max-tokens", "4", "--seed", "1")
    assert result.code == 2
    assert "`decoding.samples` was 2, is 3" in result.error
    assert "`decoding.seed` was 0, is 1" in result.error
    assert "max_tokens" not in result.error
    assert finished.read_bytes() == before


def test_questions_come_from_stdin_and_quiet_is_silent(questions: Path, runs: Path, demo_model: Path):
    command = [sys.executable, "-m", "homogaudit", "run", str(demo_model), "-", "--json", "-q", *SHORT]
    result = subprocess.run(command, input=questions.read_bytes(), capture_output=True, check=False, timeout=PATIENCE)
    assert (result.returncode, result.stderr) == (0, b"")
    facts = json.loads(result.stdout)["run"]
    assert (facts["question_source"], facts["status"]) == ("stdin", "complete")
    (path,) = runs.glob("*.audit")
    assert "-stdin-" in path.name


def test_a_script_without_spaces_between_words_is_warned_of(run: Run, tmp_path: Path):
    (tmp_path / "zh.txt").write_text("天空为什么是蓝色的?\nWhere is Rome?\n", encoding="utf-8")
    # There is no such embedder, so that nothing starts.
    warning, *_ = run("demo", "zh.txt", "--embedder", "absent").err.splitlines()
    assert warning.startswith("warning: 1 of 2 questions are in a script without spaces between words: word bigrams")
    assert "warning" not in run("demo", "zh.txt", "--embedder", "absent", "-q").err


def test_references_without_their_choices_are_warned_of_where_progress_is_not_shown(run: Run, tmp_path: Path):
    (tmp_path / "letters.jsonl").write_text('{"question": "Which one is it?", "answers": ["B"]}')
    warning = run("demo", "letters.jsonl", "--embedder", "absent", "-q").err.splitlines()[0]
    assert warning.startswith("warning: 1 of 1 questions has an index or a letter as its reference and no choices")


def test_a_duplicate_question_is_told_once(run: Run, tmp_path: Path):
    (tmp_path / "twice.txt").write_text("Who?\nWhat?\nWho?\n")
    result = run("demo", "twice.txt", "--embedder", "absent")
    assert [line for line in result.err.splitlines() if "duplicate" in line] == [
        "warning: 1 duplicate question left out, the first at line 3 (first asked at line 1)"
    ]


def test_a_gate_that_fails_is_exit_code_1(run: Run, finished: Path, questions: Path, demo_model: Path):
    result = run(demo_model, questions, "-o", finished, "--max-scr", "0.5", "--json", *SHORT)
    assert result.code == 1
    # Two questions make no level, and without one no gate passes. Stdout holds the report alone.
    assert json.loads(result.out)["verdict"]["level"] == "not judged"
    assert result.error == "`--max-scr 0.5` cannot be judged: only 2 questions are clustered, 10 are needed"


def test_a_gate_that_is_none_is_refused_before_anything_runs(run: Run, questions: Path, runs: Path):
    result = run("demo", questions, "--max-scr", "5", *SHORT)
    assert (result.code, result.error) == (2, "`--max-scr` must lie between 0 and 1, not `5`")
    assert not runs.exists()


# Going on


@pytest.fixture
def unfinished(finished_run: Path, runs: Path) -> Path:
    """A run in the runs folder as a kill leaves it: the second question lacks its samples."""
    runs.mkdir()
    path = Path(shutil.copy(finished_run, runs / "unfinished.audit"))
    with RunFile.open(path, writable=True) as stored:
        stored.set_meta("status", "started")
        for statement in (
            "DELETE FROM generations WHERE position = 1 AND sample_index >= 0",
            "DELETE FROM scorings WHERE position = 1",
        ):
            stored._connection.execute(statement)  # pyright: ignore[reportPrivateUsage]
    return path


def test_the_same_command_goes_on_with_an_unfinished_run(
    run: Run, unfinished: Path, questions: Path, runs: Path, demo_model: Path
):
    before = texts(unfinished)
    assert len(before) == 4
    result = run(demo_model, questions, *SHORT)
    assert result.code == 0
    assert result.err.splitlines()[0] == f"run: {unfinished}; continuing where it stopped, `--new` starts another"
    assert "2 questions, 6 answers (4 already stored): at most 8 passes" in result.err
    assert before.items() <= texts(unfinished).items()
    assert len(texts(unfinished)) == 6
    assert left_over(runs) == {unfinished.name}


def test_new_starts_another_run_and_so_do_other_parameters(
    run: Run, unfinished: Path, questions: Path, runs: Path, demo_model: Path
):
    before = unfinished.read_bytes()
    assert run(demo_model, questions, "--new", "-q", *SHORT).code == 0
    assert run(demo_model, questions, "--limit", "1", "-q", *SHORT).code == 0
    assert len(left_over(runs)) == 3
    assert unfinished.read_bytes() == before


def test_two_runs_on_one_file_are_refused_by_name(run: Run, finished: Path, questions: Path, demo_model: Path):
    # Another process holds the file: this one, so that its number is known.
    with RunLock(finished):
        result = run(demo_model, questions, "-o", finished, *SHORT)
    assert (result.code, result.error) == (2, f"`{finished}` is in use by process {os.getpid()}")
    assert len(keys(finished)) == 6


def test_a_run_that_another_process_has_just_begun_is_left_alone(
    run: Run, finished: Path, questions: Path, demo_model: Path
):
    # As another process has it before its first answer.
    with RunFile.open(finished, writable=True) as stored:
        stored._connection.execute("DELETE FROM generations")  # pyright: ignore[reportPrivateUsage]
    with RunLock(finished):
        assert run(demo_model, questions, "-o", finished, *SHORT).code == 2
        assert lock_owner(finished) == os.getpid()
    assert finished.exists()


# Models that are none


def damaged(model: Path, target: Path) -> Path:
    content = bytearray(model.read_bytes())
    content[64 : 64 + 1024] = random.Random(1).randbytes(1024)
    target.write_bytes(content)
    return target


def half(model: Path, target: Path) -> Path:
    content = model.read_bytes()
    target.write_bytes(content[: len(content) // 2])
    return target


def text(model: Path, target: Path) -> Path:
    target.write_text("This is no model.\n" * 100)
    return target


def empty(model: Path, target: Path) -> Path:
    target.write_bytes(b"")
    return target


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (half, "cannot load `{}`: "),
        (damaged, "cannot load `{}`: "),
        (text, "`{}` is not a GGUF file"),
        (empty, "`{}` is empty"),
    ],
)
def test_a_model_file_that_is_none_is_exit_code_3(
    make: Callable[[Path, Path], Path], message: str, run: Run, questions: Path, tmp_path: Path, demo_model: Path
):
    model = make(demo_model, tmp_path / "model.gguf")
    target = tmp_path / "demo.audit"
    result = run(model, questions, "-o", target, *SHORT)
    assert result.code == 3
    assert result.error.startswith(message.format(model))
    assert result.out == ""
    # Nothing was drawn, so nothing is left that would be in the way of the next try.
    assert left_over(tmp_path) == {"model.gguf", "questions.jsonl"}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("absent.gguf", "no such model file or folder: `absent.gguf`"),
        ("absent/model.gguf", "no such model file or folder: `absent/model.gguf`"),
        ("absent", "unknown model `absent`"),
        ("", "the model is empty"),
    ],
)
def test_a_model_that_is_not_there_is_exit_code_2(model: str, message: str, run: Run, questions: Path, runs: Path):
    result = run(model, questions)
    assert (result.code, result.error) == (2, message)
    assert not runs.exists()


def test_a_folder_without_a_model_is_told(run: Run, questions: Path, tmp_path: Path):
    result = run(tmp_path, questions)
    assert result.code == 2
    assert result.error.startswith(f"`{tmp_path}` holds no Hugging Face model")


# Question files that are none


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.jsonl", '{"question": "Who?"}\n{"question": \n', "`q.jsonl` line 2"),
        ("q.jsonl", '{"question": "Who?"}\n[1]\n', "`q.jsonl` line 2"),
        ("q.json", "[", "`q.json`"),
        ("q.csv", "colour,size\nred,2\n", "`q.csv` has no question column"),
        ("q.csv", 'question,answers\n"Who?,x\n', "`q.csv` line 2"),
        ("q.jsonl", "", "`q.jsonl` is empty"),
        ("q.csv", "question\n", "`q.csv` holds no questions"),
        ("q.txt", "\n\n", "`q.txt` is empty"),
        ("q.txt", b"Who?\n\xff\xfe\xff\n", "`q.txt` line 2"),
        ("q.txt", b"Who?\0\n", "`q.txt` line 1"),
    ],
)
def test_a_question_file_that_is_none_is_exit_code_2(
    name: str, content: str | bytes, message: str, run: Run, tmp_path: Path, runs: Path
):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    result = run("demo", name)
    assert result.code == 2
    assert result.error.startswith(message)
    assert not runs.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.jsonl"], "no question file `absent.jsonl`"),
        (["."], "`.` is a folder"),
        (["questions.jsonl", "--limit", "0"], "a limit of `0` leaves no questions"),
        (["questions.jsonl", "--category", "cats"], "`questions.jsonl` has no questions of category `cats`"),
        (["questions.jsonl", "--question-column", "frage"], "`questions.jsonl` has no column `frage`"),
    ],
)
def test_questions_that_are_not_there_are_exit_code_2(
    arguments: list[str], message: str, run: Run, questions: Path, runs: Path
):
    result = run("demo", *arguments)
    assert (result.code, result.error) == (2, message)
    assert not runs.exists()


def test_a_name_that_is_nearly_right_is_suggested(run: Run, questions: Path):
    assert "did you mean `questions.jsonl`?" in run("demo", "question.jsonl").err
    assert "did you mean `quick`?" in run("demo", questions, "--preset", "quik").err
    assert "did you mean `overlap`?" in run("demo", questions, "--judge", "overlapp").err
    assert "did you mean `all-minilm-l6-v2`" in run("demo", questions, "--embedder", "minilm-l6-v2").err


# Flags that are none


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", "1"], "`--samples` must lie between 2 and 1000, not `1`"),
        (["--temperature", "-1"], "`--temperature` must lie between 0 and 10, not `-1.0`"),
        (["--temperature", "nan"], "`--temperature` must lie between 0 and 10, not `nan`"),
        (["--top-p", "0"], "`--top-p` must lie between 1e-06 and 1, not `0.0`"),
        (["--max-tokens", "0"], "`--max-tokens` must lie between 1 and 1.04858e+06, not `0`"),
        (["--preset", "slow"], "unknown preset `slow`"),
        (["--judge", "me"], "unknown judge `me`"),
        (["--judge", "recorded"], "the run has no recorded labels"),
        (["--embedder", "absent"], "unknown embedder `absent`"),
        (["--clustering", "sense"], "unknown similarity `sense`"),
        (["--prompt-template", "absent.jinja"], "no prompt template `absent.jinja`"),
    ],
)
def test_a_flag_that_makes_no_sense_is_exit_code_2(
    arguments: list[str], message: str, run: Run, questions: Path, runs: Path
):
    result = run("demo", questions, *arguments)
    assert result.code == 2
    assert result.error.startswith(message)
    assert not runs.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--models", "absent.toml"], "cannot read models file `absent.toml`: no such file or directory"),
        (["--slots", "0"], "`--slots` must be a whole number of at least 1"),
        (["--threads", "-3"], "`--threads` must be a whole number of at least 1"),
    ],
)
def test_a_setting_that_makes_no_sense_is_exit_code_2(arguments: list[str], message: str, run: Run, questions: Path):
    result = run("demo", questions, *arguments)
    assert result.code == 2
    assert result.err.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if question %}", "prompt template `t.jinja` line 1 is not valid"),
        ("{{ question", "prompt template `t.jinja` line 1 is not valid"),
        ("", "prompt template `t.jinja` is empty"),
    ],
)
def test_a_template_that_is_none_is_exit_code_2(
    template: str, message: str, run: Run, questions: Path, tmp_path: Path, runs: Path
):
    (tmp_path / "t.jinja").write_text(template)
    result = run("demo", questions, "--prompt-template", "t.jinja")
    assert result.code == 2
    assert result.error.startswith(message)
    assert not runs.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prompt-template", "t.jinja"], "the prompt template cannot be used: "),
        (["--mode", "chatt"], "no prompt mode `chatt`"),
    ],
)
def test_a_prompt_that_cannot_be_made_leaves_no_run_behind(
    arguments: list[str], message: str, run: Run, questions: Path, tmp_path: Path, demo_model: Path
):
    # A template that is one, but does not ask the question.
    (tmp_path / "t.jinja").write_text("Say something.")
    target = tmp_path / "demo.audit"
    result = run(demo_model, questions, "-o", target, *arguments, *SHORT)
    assert result.code == 2
    assert result.error.startswith(message)
    assert left_over(tmp_path) == {"t.jinja", "questions.jsonl"}


def test_a_prompt_longer_than_the_context_is_exit_code_3(run: Run, tmp_path: Path, demo_model: Path):
    (tmp_path / "long.txt").write_text("Who?\n" + "word " * 9000 + "?\n")
    target = tmp_path / "demo.audit"
    result = run(demo_model, "long.txt", "-o", target, *SHORT)
    assert result.code == 3
    assert "exceeds the model's context of 8192" in result.error
    assert not target.exists()


# Places that cannot be written


def test_an_output_that_is_a_folder_is_exit_code_2(run: Run, questions: Path, tmp_path: Path):
    result = run("demo", questions, "-o", tmp_path)
    assert (result.code, result.error) == (2, f"`{tmp_path}` is a folder")
    assert "demo.audit" in result.err


def test_an_output_that_is_another_file_is_exit_code_2_and_left_alone(run: Run, questions: Path):
    before = questions.read_bytes()
    result = run("demo", questions, "-o", questions)
    assert result.code == 2
    assert result.err.splitlines()[0].startswith(f"error: `{questions}` is not a run file")
    assert questions.read_bytes() == before


def test_an_output_in_what_is_no_folder_is_exit_code_2(run: Run, questions: Path):
    target = questions / "demo.audit"
    result = run("demo", questions, "-o", target)
    assert (result.code, result.error) == (2, f"`{questions}` is not a folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_in_a_folder_that_cannot_be_written_is_exit_code_3(run: Run, questions: Path, tmp_path: Path):
    folder = tmp_path / "locked"
    folder.mkdir(0o500)
    result = run("demo", questions, "-o", folder / "demo.audit")
    assert result.code == 3
    assert "locked" in result.error


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_full_disk_keeps_what_was_drawn(run: Run, questions: Path, tmp_path: Path, demo_model: Path):
    target = tmp_path / "demo.audit"
    limited = (
        "import resource, sys\n"
        # The run file alone fits, its write-ahead log does not for long.
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from homogaudit.cli.app import run_app\n"
        "sys.exit(run_app(sys.argv[1:]))\n"
    )
    arguments = ["run", str(demo_model), str(questions), "-o", str(target), *SLOW]
    result = subprocess.run(
        [sys.executable, "-c", limited, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert result.returncode == 3
    assert Result(3, result.stdout, result.stderr).error.startswith(("cannot use", "no space left"))
    kept = texts(target)
    assert 0 < len(kept) < 20
    assert all(index >= GREEDY for _, index in kept)
    # With room again the same command goes on.
    assert run(demo_model, questions, "-o", target, *SLOW).code == 0
    assert kept.items() <= texts(target).items()
    assert len(texts(target)) == 20
