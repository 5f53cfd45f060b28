import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from homogaudit.cli.models import models
from homogaudit.config import load_models
from homogaudit.errors import ConfigError

app = typer.Typer()
app.command()(models)


@pytest.fixture(autouse=True)
def empty_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HOMOGAUDIT_MODELS", raising=False)


def test_every_name_is_listed_within_80_columns_and_without_colour():
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 0
    named = load_models()
    assert {*named.generators, *named.embedders} <= set(done.stdout.split())
    assert done.stdout.splitlines()[-1] == "Audit a model by its name: homogaudit run NAME"
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "\x1b" not in done.stdout


def test_json_names_what_is_absent_and_how_to_get_it():
    listing = json.loads(CliRunner().invoke(app, ["--json"]).stdout)
    assert listing["schema"] == "homogaudit.models/1"
    by_name = {entry["name"]: entry for entry in listing["generators"]}
    qwen = by_name["qwen3-0.6b"]
    assert (qwen["kind"], qwen["present"], qwen["how_to_get"]) == (
        "huggingface",
        False,
        "hf download Qwen/Qwen3-0.6B",
    )
    assert by_name["gemma3-270m-base"]["training_cutoff"] == "2024-08-31"


def test_files_and_servers_of_ones_own_are_listed_and_markup_is_text():
    Path("mine.gguf").write_bytes(b"GGUF")
    Path("models.toml").write_text(
        '[generators.mine]\nsource = "mine.gguf"\nfamily = "[red]x[/red]"\n'
        '[generators.there]\nsource = "http://localhost:8080/v1"\n'
    )
    done = CliRunner().invoke(app, [])
    assert "Models in files" in done.stdout
    assert "[red]x[/red]" in done.stdout
    assert "http://localhost:8080/v1" in done.stdout
    listing = json.loads(CliRunner().invoke(app, ["--json"]).stdout)
    by_name = {entry["name"]: entry for entry in listing["generators"]}
    assert (by_name["mine"]["present"], by_name["there"]["present"]) == (True, None)


def test_a_broken_file_is_a_configuration_error():
    Path("other.toml").write_text("[generatrs.x]\n")
    done = CliRunner().invoke(app, ["--models", "other.toml"])
    assert isinstance(done.exception, ConfigError)
