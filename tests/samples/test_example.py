"""The run that ships with the project: what its file holds and keeps to itself, and that its report is the README's."""

import getpass
import gzip
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "samples" / "example.jsonl.gz"
PRIVATE = re.compile(
    r"""/home|/tmp|/root|/usr|/opt|/Users|["\s]/\w|[A-Z]:\\|\.gguf|\.venv|://|\bpid\b|localhost|linux|darwin|\b\d+(\.\d+){3}\b""",
    re.IGNORECASE,
)
"""Paths, addresses, platforms and process ids."""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(FILE.read_bytes()).decode().splitlines()]


def command(*arguments: str, folder: Path) -> str:
    """Return what a command prints where there is no model, no embedder and no network."""
    refuse = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise OSError('no network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from homogaudit.cli import main\n"
        "sys.exit(main())\n"
    )
    environment = os.environ | {
        "COLUMNS": "80",
        "XDG_CACHE_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "HOMOGAUDIT_RUNS": str(folder / "runs"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT / "src"),
    }
    done = subprocess.run(
        [sys.executable, "-c", refuse, *arguments], capture_output=True, text=True, env=environment, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that the tests share, so that the run is made once."""
    return tmp_path_factory.mktemp("cache")


def test_it_is_small():
    assert FILE.stat().st_size < 2_000_000


def test_it_tells_nothing_of_the_machine_that_drew_it(lines: list[dict[str, Any]]):
    # Vectors in base64 spell any short word by chance.
    text = re.sub(r"float16:[\w+/=]+", "", json.dumps(lines, ensure_ascii=False))
    assert not [found[0] for found in PRIVATE.finditer(text)]
    header = json.dumps(lines[0])
    names = {socket.gethostname(), getpass.getuser(), Path.home().name}
    assert not [name for name in names if re.search(rf"\b{re.escape(name)}\b", header)]
    known = {"id", "question", "category", "answers", "incorrect_answers", "greedy", "samples", "label", "calls"}
    assert {key for line in lines[1:] for key in line} <= known | {"embedding", "meaning"}


def test_it_names_its_model_with_licence_and_fingerprint(lines: list[dict[str, Any]]):
    header = lines[0]
    assert (header["model"], header["licence"]) == ("Qwen/Qwen2.5-Coder-0.5B-Instruct", "Apache-2.0")
    model = header["provenance"]["model"]
    assert model["fingerprint"]["size"] == 491_400_064
    assert len(model["sha256"]) == 64
    assert "Q4_K" in header["provenance"]["details"]["model"]


def test_it_holds_the_packaged_questions_with_ten_whole_answers_each(lines: list[dict[str, Any]]):
    asked = [
        json.loads(line)
        for name in ("misconceptions", "factual")
        for line in (ROOT / "samples" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    kept = ("id", "question", "category", "answers", "incorrect_answers")
    assert [{key: line[key] for key in kept} for line in lines[1:]] == asked
    for line in lines[1:]:
        assert len(line["samples"]) == 10
        for answer in (line["greedy"], *line["samples"]):
            assert answer["finish_reason"] == "stop"
            assert len(answer["token_entropies"]) == len(answer["token_logprobs"]) == len(answer["token_ids"])


def test_the_readme_shows_the_report_of_the_example(cache: Path):
    """Whoever changes what a report says renews the block between the two marks with what the command prints."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.partition("<!-- report: begin -->")[2].partition("<!-- report: end -->")[0]
    shown = re.search(r"```text\n(.*?)```", block, re.DOTALL)
    assert shown is not None
    printed = command("report", "--example", folder=cache)
    assert [line.rstrip() for line in printed.splitlines()] == shown[1].splitlines()


def test_the_example_is_rebuilt_once_and_never_listed_as_a_run(cache: Path):
    command("report", "--example", "--json", folder=cache)
    (path,) = (cache / "homogaudit").rglob("*.audit")
    made = path.stat().st_mtime_ns
    report = json.loads(command("report", "--example", "--json", folder=cache))
    assert path.stat().st_mtime_ns == made
    assert report["run"]["model"] == "Qwen/Qwen2.5-Coder-0.5B-Instruct"
    assert report["homogenization"]["primary"] == "meaning"
    assert not (cache / "runs").exists()


def test_import_rebuilds_the_run_file(cache: Path, tmp_path: Path):
    printed = command("import", "--example", "-o", str(tmp_path / "mine.audit"), folder=cache)
    assert printed == f"{tmp_path / 'mine.audit'}\n"
    mine, cached = (
        json.loads(command("report", *arguments, "--json", folder=cache))
        for arguments in ([str(tmp_path / "mine.audit")], ["--example"])
    )
    for key in ("homogenization", "labels", "selective"):
        assert mine[key] == cached[key]
    # What signals cost is measured each time.
    areas = [{name: x["auroc"] for name, x in report["signals"].items()} for report in (mine, cached)]
    assert areas[0] == areas[1]
