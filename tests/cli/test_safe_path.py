"""Files that lie in the working folder are data: none of them is executed, whatever it is called."""

import fcntl
import os
import pkgutil
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from homogaudit.config.python_child import child_environment, python_command
from homogaudit.signals.plugins import ENTRY_POINT_GROUP

from ..patience import PATIENCE

_SCRIPT = shutil.which("homogaudit", path=str(Path(sys.executable).parent))
_MARK = "executed"
_TRAP = "open({mark!r}, 'a').write(__name__ + '\\n')\nraise SystemExit('executed')\n"
_NAMES = {
    *sys.stdlib_module_names,
    *(module.name for module in pkgutil.iter_modules()),
    "homogaudit",
    "sitecustomize",
    "usercustomize",
}
"""Every top-level name that can be imported here, so that no list of what a command imports can be too short."""

_WATCH = """
import os, sys
class Watch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if any(os.path.realpath(folder or '.') == {folder!r} for folder in sys.path):
            open({mark!r}, 'a').write(f'{{name}} is looked for in the working folder\\n')
sys.meta_path.append(Watch)
"""
"""Stands last among what finds modules, and so is asked for those alone that are not installed."""


def _plant(folder: Path, names: Collection[str]) -> None:
    for name in names:
        (folder / f"{name}.py").write_text(_TRAP.format(mark=str(folder.parent / _MARK)))


@pytest.fixture
def trapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with modules, and a package with a signal, that leave a mark where they are executed."""
    folder = tmp_path / "downloads"
    package = folder / "planted-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\nplanted = planted:SIGNAL\n")
    _plant(folder, _NAMES | {"planted"})
    (folder / "questions.txt").write_text("What is the capital of Peru?\n")
    watch = tmp_path / "watch"
    watch.mkdir()
    (watch / "sitecustomize.py").write_text(_WATCH.format(folder=str(folder), mark=str(tmp_path / _MARK)))
    source = str(Path(__file__).parents[2] / "src")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([source, str(watch)]))
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(folder)
    return folder


def _assert_nothing_executed(folder: Path) -> None:
    mark = folder.parent / _MARK
    assert not mark.exists(), mark.read_text()


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"


def _take_away_what_the_interpreter_imports(folder: Path) -> None:
    """Remove the traps that `python -m` itself falls into, before the first line of whatever module it is given."""
    (folder.parent / "nothing.py").write_text("import sys\nprint(*{name.partition('.')[0] for name in sys.modules})\n")
    command = [sys.executable, "-m", "nothing"]
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=True)
    for name in {*done.stdout.split(), "sitecustomize", "usercustomize"}:
        (folder / f"{name}.py").unlink(missing_ok=True)


def _show(*command: str) -> None:
    """Open a screen on a terminal of its own, and quit once it is drawn."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    end = time.monotonic() + PATIENCE
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        drawn = b""
        # The line of keys, which every screen has.
        while b"Screens" not in drawn and process.poll() is None and time.monotonic() < end:
            if select.select([ours], [], [], 0.5)[0]:
                drawn += os.read(ours, 1 << 16)
        os.write(ours, b"\x11")
        while process.poll() is None and time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                os.read(ours, 1 << 16)
        process.kill()
    os.close(ours)
    os.close(theirs)
    assert b"Screens" in drawn, drawn


@pytest.mark.skipif(_SCRIPT is None, reason="the command is not installed")
def test_no_command_executes_a_file_beside_which_it_is_started(trapped: Path, demo_model: Path) -> None:
    command = str(_SCRIPT)
    small = ["demo", "questions.txt", "-n", "2", "--max-tokens", "2", "-q"]
    _call(command, "run", *small, "-o", "x.audit")
    _call(command, "score", "x.audit", "--no-embedder", "--judge", "exact", "-q")
    _call(command, "report", "x.audit", "--full", "--html", "x.html")
    shutil.copy("x.audit", "y.audit")
    _call(command, "compare", "x.audit", "y.audit")
    _call(command, "sweep", *small, "--over", "temperature=0.5,1", "--no-embedder", "-o", "swept")
    _call(command, "bench", "demo", "--questions", "1", "-n", "2", "--max-tokens", "2", "--repeats", "1")
    _call(command, "import", "--example", "--no-embedder", "-q", "-o", "z.audit")
    _show(command, "tui", "--run", "x.audit")
    _assert_nothing_executed(trapped)


def test_a_command_by_the_name_of_the_package_executes_none_either_once_the_interpreter_has_found_it(
    trapped: Path, demo_model: Path
) -> None:
    _take_away_what_the_interpreter_imports(trapped)
    (trapped / "homogaudit.py").unlink()
    module = [sys.executable, "-m", "homogaudit"]
    _call(*module, "run", "demo", "questions.txt", "-n", "2", "--max-tokens", "2", "--no-embedder", "-q", "-o", "x")
    _call(*module, "report", "x")
    _assert_nothing_executed(trapped)


@pytest.mark.parametrize("module", ["homogaudit.engine.child", "homogaudit.engine.bench_child", "homogaudit"])
def test_no_process_of_this_project_takes_its_code_from_the_working_folder(trapped: Path, module: str) -> None:
    subprocess.run(
        python_command(module),
        env=child_environment(),
        input="",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    _assert_nothing_executed(trapped)


def test_an_empty_entry_of_the_search_path_brings_nothing_of_the_working_folder_in(
    trapped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(Path(__file__).parents[2] / "src")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([source, ""]))
    assert child_environment()["PYTHONPATH"] == source
    script = "import sys; from homogaudit.cli import main; sys.argv = ['homogaudit', 'explain', 'scr']; main()"
    _take_away_what_the_interpreter_imports(trapped)
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False)
    _assert_nothing_executed(trapped)
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("PYTHONPATH", os.pathsep)
    assert child_environment()["PYTHONPATH"] == ""


def test_the_environment_of_a_child_keeps_what_is_set_and_is_as_safe_for_its_own_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOMOGAUDIT_SLOTS", "3")
    found = child_environment({"PYTHONUNBUFFERED": "1"})
    assert (found["HOMOGAUDIT_SLOTS"], found["PYTHONSAFEPATH"], found["PYTHONUNBUFFERED"]) == ("3", "1", "1")
    assert "PYTHONSAFEPATH" not in os.environ


def test_every_python_process_is_started_by_the_one_safe_helper() -> None:
    source = Path(__file__).parents[2] / "src" / "homogaudit"
    using = {
        path.relative_to(source).as_posix() for path in source.rglob("*.py") if "sys.executable" in path.read_text()
    }
    # `doctor` only shows which interpreter it is.
    assert using == {"config/python_child.py", "cli/doctor.py"}
