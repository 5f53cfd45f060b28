"""What a shell completes, asked as the scripts of the shells ask."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from homogaudit.store import RunFile

from ..patience import PATIENCE

PROGRAM = "import sys; from homogaudit.cli import main; sys.argv[0] = 'homogaudit'; main()"


def complete(*words: str, folder: Path) -> list[str]:
    """Return what bash is offered for the last of `words`."""
    environment = {
        **os.environ,
        "_HOMOGAUDIT_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(("homogaudit", *words)),
        "COMP_CWORD": str(len(words)),
        "HOMOGAUDIT_RUNS": str(folder),
    }
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
        env=environment,
        cwd=folder,
    )
    assert result.stderr == ""
    return result.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["mod"], ["models"]),
        (["run", "dem"], ["demo"]),
        (["run", "demo", "misc"], ["misconceptions"]),
        (["run", "demo", "--judge", "ex"], ["exact"]),
        (["run", "demo", "--embedder", "all-mini"], ["all-minilm-l6-v2"]),
        (["score", "--nli", "nli-deberta-v3-x"], ["nli-deberta-v3-xsmall"]),
        (["explain", "semantic_entropy_jaccard_r"], ["semantic_entropy_jaccard_rao"]),
        (["guide", "rec"], ["recorded"]),
        (["run", "--no-emb"], ["--no-embedder"]),
        (["run", "demo", "a-file-of-mine"], []),
    ],
)
def test_names_are_completed(words: list[str], offered: list[str], tmp_path: Path):
    assert complete(*words, folder=tmp_path) == offered


@pytest.mark.parametrize("words", [["report"], ["score"], ["tui", "--run"], ["runs", "delete"], ["cascade", "fit"]])
def test_runs_are_completed_by_name(words: list[str], make_run: Callable[..., RunFile], tmp_path: Path):
    with make_run() as run:
        path = run.path
    assert complete(*words, path.stem[:2], folder=path.parent) == [path.stem]


def test_a_broken_configuration_does_not_end_up_in_the_command_line(tmp_path: Path):
    (tmp_path / "models.toml").write_text("not toml", encoding="utf-8")
    assert complete("run", "dem", folder=tmp_path) == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_for_bash_is_one_that_bash_reads(tmp_path: Path):
    # The shell is recognised by the process that asks.
    script = 'set -e; shown="$("$0" -c "$1" --show-completion)"; eval "$shown"; complete -p homogaudit'
    command = ["bash", "--norc", "-c", script, sys.executable, PROGRAM]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE, cwd=tmp_path)
    assert "homogaudit" in shown.stdout
