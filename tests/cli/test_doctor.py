import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from homogaudit.cli import doctor as module
from homogaudit.cli.doctor import Device, Devices, doctor

app = typer.Typer()
app.command()(doctor)

GIB = 2**30


@pytest.fixture(autouse=True)
def small_machine(tmp_path, monkeypatch):
    """No native library is loaded unless a test asks for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("HOMOGAUDIT_MODELS", raising=False)
    llama = Devices(True, (Device("CUDA0", "Some GPU", "gpu", 24 * GIB, 20 * GIB),))
    monkeypatch.setattr(module, "_llama_devices", lambda: llama)
    monkeypatch.setattr(module, "_torch_devices", lambda: Devices(False, ()))
    monkeypatch.setattr(module, "_version", lambda name: "1.0")


def facts(*arguments: str):
    done = CliRunner().invoke(app, ["--json", *arguments])
    assert done.exit_code == 0
    return json.loads(done.stdout)


def test_json_holds_versions_devices_cores_memory_and_models(tmp_path):
    found = facts()
    assert found["schema"] == "homogaudit.doctor/1"
    assert found["libraries"]["llama-cpp-python"] == "1.0"
    assert found["llama_cpp"]["devices"][0]["memory_total"] == 24 * GIB
    assert found["cores"]["physical"] >= 1
    assert found["runs"]["path"] == str(tmp_path / "runs")
    assert found["runs"]["writable"]
    assert {"demo", "gemma3-270m-base"} <= {entry["name"] for entry in found["models"]}
    assert "all-minilm-l6-v2" in {entry["name"] for entry in found["embedders"]}


def test_settings_are_shown_with_the_place_that_gave_them(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "homogaudit" / "models.toml"
    assert facts()["configuration"]["file"] == str(file)
    assert not facts()["configuration"]["exists"]
    file.parent.mkdir()
    file.write_text("[settings]\nsamples = 20\n")
    monkeypatch.setenv("HOMOGAUDIT_SLOTS", "4")
    found = facts()["configuration"]["settings"]
    assert found["samples"] == {"value": "20", "given_by": str(file)}
    assert found["slots"] == {"value": "4", "given_by": "HOMOGAUDIT_SLOTS"}
    # A long path is folded.
    assert f"samples20({file})" in "".join(CliRunner().invoke(app, []).stdout.split())


def test_a_user_configuration_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "homogaudit").mkdir()
    (tmp_path / "homogaudit" / "models.toml").write_text("[settings]\nsample = 20\n")
    (missing,) = facts()["missing"]
    assert missing["what"] == "a valid configuration"
    assert "unknown key `sample`" in missing["why"]


def test_nothing_is_created(tmp_path):
    facts()
    assert not (tmp_path / "runs").exists()


def test_the_text_fits_80_columns_and_has_no_colour():
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 0
    assert "Some GPU, gpu, 25.8 GB (21.5 GB free)" in " ".join(done.stdout.split())
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "\x1b" not in done.stdout


def test_a_missing_library_is_named_with_how_to_get_it(monkeypatch):
    monkeypatch.setattr(module, "_version", lambda name: None if name == "torch" else "1.0")
    missing = {item["what"]: item["how"] for item in facts()["missing"]}
    assert missing["torch"] == "pip install torch"
    assert "pip install torch" in CliRunner().invoke(app, []).stdout


def test_an_unused_nvidia_gpu_names_the_cuda_wheels(monkeypatch):
    monkeypatch.setattr(module, "_llama_devices", lambda: Devices(False, ()))
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/usr/bin/{name}")
    missing = {item["what"]: item["how"] for item in facts()["missing"]}
    assert "/whl/cu124" in missing["llama-cpp-python with CUDA"]
    assert "torch with CUDA" in missing


def test_an_unused_apple_gpu_names_the_metal_wheels(monkeypatch):
    monkeypatch.setattr(module, "_llama_devices", lambda: Devices(False, ()))
    monkeypatch.setattr(module.sys, "platform", "darwin")
    monkeypatch.setattr(module.platform, "machine", lambda: "arm64")
    assert "/whl/metal" in json.dumps([vars_ for vars_ in facts()["missing"]])


def test_a_broken_models_file_and_a_broken_variable_are_findings_not_failures(monkeypatch):
    Path("models.toml").write_text("[generators.x]\n")
    assert "no `source`" in json.dumps(facts()["missing"])
    Path("models.toml").unlink()
    monkeypatch.setenv("HOMOGAUDIT_SLOTS", "many")
    found = facts()
    assert "HOMOGAUDIT_SLOTS" in json.dumps(found["missing"])
    assert found["runs"] is None
    assert CliRunner().invoke(app, []).exit_code == 0


def test_a_runs_folder_that_is_a_file_is_not_writable(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "file" / "runs"))
    found = facts()
    assert not found["runs"]["writable"]
    assert "a writable runs folder" in json.dumps(found["missing"])


def test_a_library_that_breaks_on_import_is_a_problem_in_one_line(monkeypatch):
    monkeypatch.undo()

    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name in ("llama_cpp", "torch"):
                raise OSError("libcuda.so.1:\ncannot open")

    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    for name in ("llama_cpp", "torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for found in (module._llama_devices(), module._torch_devices()):
        assert found == Devices(None, (), "libcuda.so.1: cannot open")


def test_torch_devices_are_named_with_their_memory(monkeypatch):
    monkeypatch.undo()
    torch = SimpleNamespace(
        cuda=SimpleNamespace(
            is_available=lambda: True,
            device_count=lambda: 1,
            mem_get_info=lambda index: (3 * GIB, 8 * GIB),
            get_device_name=lambda index: "Some GPU",
        ),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: False)),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert module._torch_devices() == Devices(True, (Device("cuda:0", "Some GPU", "gpu", 8 * GIB, 3 * GIB),))


def test_native_output_is_hidden_and_comes_back(capfd):
    with module._native_output_hidden():
        os.write(1, b"noise")
        os.write(2, b"noise")
    os.write(1, b"data")
    assert capfd.readouterr() == ("data", "")


def test_the_real_libraries_leave_stdout_to_the_json(tmp_path):
    pytest.importorskip("llama_cpp")
    code = "import typer; from homogaudit.cli.doctor import doctor; typer.run(doctor)"
    source = Path(module.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(source)},
    )
    found = json.loads(done.stdout)
    kinds = [device["kind"] for device in found["llama_cpp"]["devices"]]
    assert "cpu" in kinds
    assert done.stderr == ""
