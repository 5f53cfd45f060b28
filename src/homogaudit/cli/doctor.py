"""`homogaudit doctor`: what this machine can do, what is missing, and how to get it.

Asks the installed libraries and the operating system; every answer that cannot be had is `None`, shown as "unknown".
Loads no model and creates no file.
"""

import json
import os
import platform
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from homogaudit import __version__
from homogaudit.cli.options import JsonOption, ModelsOption
from homogaudit.errors import ConfigError

if TYPE_CHECKING:
    from homogaudit.config import ModelsFile

_LIBRARIES = (
    "llama-cpp-python",
    "sentence-transformers",
    "transformers",
    "torch",
    "scikit-learn",
    "scipy",
    "numpy",
    "jinja2",
    "platformdirs",
    "rich",
    "typer",
)

_WHEELS = "https://abetlen.github.io/llama-cpp-python/whl"
_REINSTALL = "pip install --force-reinstall --no-deps llama-cpp-python --extra-index-url"
_CUDA_WHEEL = f"{_REINSTALL} {_WHEELS}/cu124"
_METAL_WHEEL = f"{_REINSTALL} {_WHEELS}/metal"


@dataclass(frozen=True, slots=True)
class Device:
    """A device that a library can compute on.

    Attributes:
        kind: `cpu`, `gpu`, `igpu`, `accelerator` or `unknown`.
        memory_total: Bytes; `None` where unknown.
        memory_free: Bytes; `None` where unknown.
    """

    name: str
    description: str
    kind: str
    memory_total: int | None = None
    memory_free: int | None = None


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of one library; `problem` says why they cannot be named."""

    gpu_offload: bool | None
    devices: tuple[Device, ...]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not there, what it is for, and how to get it."""

    what: str
    why: str
    how: str


def doctor(
    models_file: ModelsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check this machine: what works, what is missing, how to get it.

    The exit code is 0 even if something is missing, because you may not need it.
    """
    facts = _examine(models_file)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        _print(facts)


def _examine(models_file: Path | None) -> dict[str, Any]:
    """Return everything that `doctor` knows as JSON values."""
    from homogaudit.config import ModelsFile, load_models, load_settings, user_models_file
    from homogaudit.config.machine import machine_memory, physical_cores

    missing: list[Missing] = []
    versions = {name: _version(name) for name in _LIBRARIES}
    for name, found in versions.items():
        if found is None:
            missing.append(Missing(name, "homogaudit needs it", f"pip install {name}"))
    with _native_output_hidden():
        llama = _llama_devices()
        torch = _torch_devices()
    missing += _missing_acceleration(llama, torch)
    try:
        models = load_models(models_file)
        settings = load_settings(models)
    except ConfigError as error:
        missing.append(Missing("a valid configuration", error.message, error.hint or "fix it"))
        models, runs, given = ModelsFile({}, {}), None, {}
    else:
        given = {key: {"value": str(getattr(settings, key)), "given_by": by} for key, by in settings.given_by.items()}
        runs = _folder(settings.runs)
        if not runs["writable"]:
            missing.append(
                Missing("a writable runs folder", f"`{runs['path']}` is not", "set HOMOGAUDIT_RUNS to one that is")
            )
    memory = machine_memory()
    return {
        "schema": "homogaudit.doctor/1",
        "homogaudit": __version__,
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "platform": platform.platform(),
        "libraries": versions,
        "cores": {"physical": physical_cores(), "logical": os.cpu_count()},
        "memory": asdict(memory),
        "llama_cpp": asdict(llama),
        "torch": asdict(torch),
        "configuration": {"file": str(user_models_file()), "exists": user_models_file().exists(), "settings": given},
        "runs": runs,
        **_presence(models),
        "missing": [asdict(item) for item in missing],
    }


def _version(name: str) -> str | None:
    # Imported here because every command loads this module, and this import takes a sixth of `--help`.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


@contextmanager
def _native_output_hidden() -> Generator[None]:
    """Point the process's fds 1 and 2 at the null device, because C libraries write to them when they load."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved: dict[int, int] = {}
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        for descriptor in (1, 2):
            try:
                saved[descriptor] = os.dup(descriptor)
            except OSError:
                continue  # it is closed: nothing can be written to it either
            os.dup2(null, descriptor)
        yield
    finally:
        for descriptor, copy in saved.items():
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(null)


def _llama_devices() -> Devices:
    """Ask ggml which devices are compiled into llama-cpp-python and how much memory they have."""
    try:
        import llama_cpp

        from homogaudit.generation.devices import llama_devices
    except Exception as error:  # a broken native library raises OSError, RuntimeError or worse
        return Devices(None, (), _one_line(error))
    try:
        offload = bool(llama_cpp.llama_supports_gpu_offload())
    except AttributeError:
        offload = None
    devices = tuple(
        Device(found.name, found.description, found.kind, found.memory_total, found.memory_free)
        for found in llama_devices()
    )
    # The CPU is always among them.
    return Devices(offload, devices, None if devices else "this llama-cpp-python does not name its devices")


def _torch_devices() -> Devices:
    """Ask torch for its CUDA and Metal devices; the CPU goes without saying."""
    try:
        import torch
    except Exception as error:  # a broken native library raises OSError, RuntimeError or worse
        return Devices(None, (), _one_line(error))
    devices: list[Device] = []
    problem = None
    try:
        if torch.cuda.is_available():
            for index in range(torch.cuda.device_count()):
                free, total = torch.cuda.mem_get_info(index)
                devices.append(Device(f"cuda:{index}", torch.cuda.get_device_name(index), "gpu", int(total), int(free)))
        if torch.backends.mps.is_available():
            total = int(torch.mps.recommended_max_memory())
            devices.append(Device("mps", "Metal", "gpu", total, total - int(torch.mps.driver_allocated_memory())))
    except Exception as error:  # a driver that does not fit raises whatever it likes
        problem = _one_line(error)
    return Devices(bool(devices), tuple(devices), problem)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _missing_acceleration(llama: Devices, torch: Devices) -> list[Missing]:
    """Name the libraries that leave this machine's GPU unused."""
    missing: list[Missing] = []
    if llama.problem and llama.gpu_offload is None and _version("llama-cpp-python"):
        missing.append(
            Missing("a working llama-cpp-python", llama.problem, "pip install --force-reinstall llama-cpp-python")
        )
    if torch.problem and _version("torch"):
        missing.append(Missing("a working torch", torch.problem, "pip install --force-reinstall torch"))
    nvidia = shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists()
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    if llama.gpu_offload is False and nvidia:
        why = "there is an NVIDIA driver, and this llama-cpp-python computes on the CPU only"
        missing.append(Missing("llama-cpp-python with CUDA", why, f"{_CUDA_WHEEL} (or cu121 to cu125, cu130, cu132)"))
    if llama.gpu_offload is False and apple:
        why = "this Mac has a GPU, and this llama-cpp-python computes on the CPU only"
        missing.append(Missing("llama-cpp-python with Metal", why, _METAL_WHEEL))
    if nvidia and not torch.devices and not torch.problem:
        why = "there is an NVIDIA driver, and this torch sees no GPU; embedding runs on the CPU"
        missing.append(Missing("torch with CUDA", why, "pip install --force-reinstall torch"))
    return missing


def _folder(path: Path) -> dict[str, Any]:
    """Say whether files can be made in a folder that may not exist yet, and how much room there is."""
    existing = next((place for place in (path, *path.absolute().parents) if place.exists()), None)
    writable = existing is not None and existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    free = shutil.disk_usage(existing).free if existing is not None else None
    return {"path": str(path), "exists": path.exists(), "writable": writable, "free": free}


def _presence(models: "ModelsFile") -> dict[str, Any]:
    """Return for every named model and embedder whether it is present, and how to get it where it is not."""
    from homogaudit.config import how_to_get, is_present

    tables = {"models": models.generators.values(), "embedders": models.embedders.values()}
    listing: dict[str, Any] = {}
    for table, entries in tables.items():
        listing[table] = [
            {
                "name": entry.name,
                "present": (present := is_present(entry)),
                "how_to_get": how_to_get(entry) if present is False else None,
            }
            for entry in entries
        ]
    return listing


def _gigabytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e9:.1f} GB"


def _print(facts: dict[str, Any]) -> None:
    """Print the facts for people, readable at 80 columns and without colour."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()

    def section(title: str, rows: list[tuple[str, str]]) -> None:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in rows:
            grid.add_row(Text(f"  {name}"), Text(value))
        console.print(Text(title, style="bold"))
        console.print(grid)

    memory, cores, runs = facts["memory"], facts["cores"], facts["runs"]
    machine = [
        ("homogaudit", facts["homogaudit"]),
        ("python", facts["python"]["version"]),
        ("platform", facts["platform"]),
        ("cores", f"{cores['physical']} physical, {cores['logical']} logical"),
        ("memory", f"{_gigabytes(memory['total'])}, {_gigabytes(memory['available'])} available"),
    ]
    if runs is not None:
        state = "writable" if runs["writable"] else "not writable"
        machine.append(("runs folder", f"{runs['path']} ({state}, {_gigabytes(runs['free'])} free)"))
    section("Machine", machine)
    own = facts["configuration"]
    settings = [(key, f"{found['value']} ({found['given_by']})") for key, found in own["settings"].items()]
    file = ("your file", own["file"] + ("" if own["exists"] else " (does not exist)"))
    section("Settings", [file, *(settings or [("all", "as they are by default")])])
    section("Libraries", [(name, found or "missing") for name, found in facts["libraries"].items()])
    for title, key in (("llama.cpp devices", "llama_cpp"), ("torch devices besides the CPU", "torch")):
        section(title, _device_rows(facts[key]))
    for title, key in (("Models present", "models"), ("Embedders present", "embedders")):
        listing = facts[key]
        names = [entry["name"] for entry in listing if entry["present"]]
        absent = sum(entry["present"] is False for entry in listing)
        section(title, [(name, "") for name in names] or [("none", "")])
        if absent:
            console.print(Text(f"  {absent} more have names: homogaudit models"))
    if facts["missing"]:
        console.print(Text("Missing", style="bold"))
        for item in facts["missing"]:
            console.print(Text(f"  {item['what']}: {item['why']}"))
            # Never wrapped: it is there to be copied.
            console.print(Text(f"    {item['how']}"), soft_wrap=True)
    else:
        console.print(Text("Nothing is missing.", style="bold"))


def _device_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        (
            device["name"],
            f"{device['description']}, {device['kind']}, {_gigabytes(device['memory_total'])}"
            f" ({_gigabytes(device['memory_free'])} free)",
        )
        for device in found["devices"]
    ]
    if found["problem"]:
        rows.append(("unknown", found["problem"]))
    return rows or [("none", "")]
