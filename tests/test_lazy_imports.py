"""Heavy libraries are imported only by the code that uses them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .patience import PATIENCE

HEAVY = ["llama_cpp", "numpy", "scipy", "sentence_transformers", "sklearn", "textual", "torch", "transformers"]

SCRIPT = """
import contextlib, io, json, sys
with contextlib.redirect_stdout(io.StringIO()):
    {statement}
print(json.dumps(sorted(set({heavy}) & set(sys.modules))))
"""


def imported(statement: str, folder: Path, heavy: list[str] = HEAVY) -> list[str]:
    """Return the heavy modules that a fresh interpreter holds after `statement`."""
    script = SCRIPT.format(statement=statement, heavy=heavy)
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=folder, check=True, timeout=PATIENCE
    )
    return json.loads(result.stdout)


def command(*arguments: str) -> str:
    return f"from homogaudit.cli.app import run_app; assert run_app({list(arguments)}) == 0"


@pytest.mark.parametrize(
    "statement",
    [
        "import homogaudit",
        "import homogaudit.engine.supervisor, homogaudit.events, homogaudit.errors",
        command("--help"),
        command("--version"),
        command("run", "--help"),
        command("report", "--help"),
    ],
)
def test_nothing_heavy_is_imported_for_help(statement: str, tmp_path: Path):
    assert imported(statement, tmp_path) == []


@pytest.mark.parametrize(
    "statement", ["import homogaudit.engine.supervisor, homogaudit.events, homogaudit.codec", command("--help")]
)
def test_pydantic_is_imported_with_the_first_record_that_crosses_a_border(statement: str, tmp_path: Path):
    # The help of a subcommand imports it anyway: typer does, where it is installed.
    assert "pydantic" not in imported(statement, tmp_path, ["pydantic"])
    used = "from homogaudit.events import Paused, encode; encode(Paused(), 1)"
    assert imported(used, tmp_path, ["pydantic"]) == ["pydantic"]


@pytest.mark.parametrize("arguments", [("models",), ("runs",), ("explain", "scr")])
def test_commands_that_only_tell_load_no_model_library(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path))
    heavy = imported(command(*arguments), tmp_path)
    assert not {"llama_cpp", "sentence_transformers", "textual", "torch", "transformers"} & set(heavy)


def test_a_wrong_flag_is_told_without_a_model_library(tmp_path: Path):
    statement = "from homogaudit.cli.app import run_app; assert run_app(['run', 'demo', '-n', '1']) == 2"
    assert not {"llama_cpp", "sentence_transformers", "torch"} & set(imported(statement, tmp_path))
