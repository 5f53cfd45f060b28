"""Which run file a RUN argument means, and what a new one is called.

Knows names and folders; opens no run file.
"""

import re
from datetime import datetime
from pathlib import Path

from homogaudit.errors import RunFileError

SUFFIX = ".audit"
"""That of `homogaudit.store.RUN_SUFFIX`, which lies behind an import of NumPy."""

_SHOWN = 5
"""How many candidates an error line names."""


def runs_folder() -> Path:
    """Return the folder of the run files; it need not exist.

    Raises:
        ConfigError: A setting is wrong.
    """
    from homogaudit.config import load_models, load_settings

    return load_settings(load_models()).runs


def list_runs(folder: Path) -> list[Path]:
    """Return the run files of a folder, the one written last first."""
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if path.suffix == SUFFIX and path.is_file()]
    return sorted(paths, key=lambda path: (-_modified(path), path.name))


def _modified(path: Path) -> float:
    """Return when a run was written last: while it runs only the log beside it changes."""
    times: list[float] = []
    # SQLite keeps the log of a linked file beside that, not beside the link.
    file = path.resolve()
    for part in (path, file.with_name(file.name + "-wal")):
        try:
            times.append(part.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=0.0)


def log_path(run: Path) -> Path:
    """Return where the engine logs for a run: beside it."""
    return run.with_name(run.name + ".log")


def find_run(text: str | None, folder: Path) -> Path:
    """Return the run file that `text` means.

    Args:
        text: A path, or the name of a run in `folder` with or without `.audit`, or the beginning of one name only;
            `None` for the run written last.
        folder: The folder of the run files.

    Raises:
        RunFileError: There is none, or there are several.
    """
    paths = list_runs(folder)
    if text is None:
        if not paths:
            raise RunFileError(f"no runs in `{folder}`", "`homogaudit run demo` makes one, or name a run file")
        return paths[0]
    path = Path(text).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise RunFileError(f"`{text}` is a folder", "name a run file in it")
    names = [path.name for path in paths]
    for name in (text, text + SUFFIX):
        if name in names:
            return folder / name
    starting = [name for name in names if text and name.startswith(text)]
    if len(starting) == 1:
        return folder / starting[0]
    if starting:
        listed = ", ".join(f"`{name.removesuffix(SUFFIX)}`" for name in starting[:_SHOWN])
        more = f" and {len(starting) - _SHOWN} more" if len(starting) > _SHOWN else ""
        raise RunFileError(f"`{text}` may mean {listed}{more}", "give more of the name")
    from homogaudit.config import did_you_mean

    near = did_you_mean(text.removesuffix(SUFFIX), [name.removesuffix(SUFFIX) for name in names])
    raise RunFileError(f"no run `{text}`", near or f"`homogaudit runs` lists those in `{folder}`")


def new_run_path(folder: Path, model: str, questions: str, part: str = "", suffix: str = SUFFIX) -> Path:
    """Return the path of a new run, or of a sweep: named after model, questions and time, and not there yet."""
    time = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    stem = "-".join([slug(model), slug(questions), *([part] if part else []), time])
    path, number = folder / (stem + suffix), 2
    while path.exists():
        path, number = folder / f"{stem}-{number}{suffix}", number + 1
    return path


def slug(text: str) -> str:
    """Return the last part of a name or path as letters, digits, `.`, `_` and `-`, at most 40 of them."""
    last = re.sub(r"\.(gguf|jsonl?|csv|tsv|txt)$", "", re.split(r"[/\\]", text.rstrip("/\\"))[-1], flags=re.IGNORECASE)
    return re.sub(r"[^A-Za-z0-9._]+", "-", last).strip("-._")[:40].rstrip("-._") or "run"
