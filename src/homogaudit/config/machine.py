"""What this machine gives a process: physical cores and memory, within the limits of its container.

Knows nothing of GPUs, which only the libraries that use them can name.
"""

import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Memory:
    """Main memory in bytes; `None` where the system does not say."""

    total: int | None
    available: int | None


def physical_cores() -> int:
    """Return the physical cores that this process may use, at least 1.

    Hyper-threads of one core count once, because a second one slows matrix products down. On Linux the process's
    affinity and the container's CPU quota count; elsewhere it is the machine's number.
    """
    if sys.platform == "darwin":
        return _sysctl("hw.physicalcpu") or os.cpu_count() or 1
    if not sys.platform.startswith("linux"):
        return os.cpu_count() or 1
    usable = os.sched_getaffinity(0)
    cores = {_siblings(cpu) for cpu in usable}
    return max(1, min(len(cores), _cpu_quota()))


def _siblings(cpu: int) -> str:
    """Return what names the core of a logical CPU: the list of its hyper-threads."""
    return _read(_CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list") or str(cpu)


def _cpu_quota() -> int:
    """Return the container's limit in whole CPUs, a huge number where there is none."""
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit() and int(period):
        return math.ceil(int(quota) / int(period))
    return sys.maxsize


def machine_memory() -> Memory:
    """Return total and available main memory; a container's limit counts where it is lower."""
    if sys.platform == "darwin":
        return Memory(_sysctl("hw.memsize"), None)
    fields = dict(line.split(":", 1) for line in _read(Path("/proc/meminfo")).splitlines() if ":" in line)
    total, available = (_kibibytes(fields.get(name, "")) for name in ("MemTotal", "MemAvailable"))
    limit, used = _read(_CGROUP / "memory.max"), _read(_CGROUP / "memory.current")
    if limit.isdigit() and total is not None and int(limit) < total:
        total = int(limit)
        if used.isdigit() and available is not None:
            available = min(available, max(0, total - int(used)))
    return Memory(total, available)


def _kibibytes(text: str) -> int | None:
    words = text.split()
    return int(words[0]) * 1024 if words and words[0].isdigit() else None


def _read(path: Path) -> str:
    """Return a small system file, empty where it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _sysctl(name: str) -> int | None:
    try:
        answer = subprocess.run(
            ["sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return int(answer) if answer.isdigit() else None
