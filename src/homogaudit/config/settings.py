"""Settings that can be given in several places: flag > HOMOGAUDIT_* > `[settings]` of models.toml > default.

Knows no flags of any command: a command passes what its own flags gave.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homogaudit.config.models_file import ModelsFile, check_setting
from homogaudit.errors import ConfigError

__all__ = ["Settings", "load_settings"]

_NUMBERS = ("threads", "gpu_layers", "slots")


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for this process; `None` leaves the choice to the engine.

    Attributes:
        runs: The folder of the run files.
        embedder: Name, folder or Hugging Face id of the embedder.
        threads: Threads of the generator; the physical cores where `None`.
        gpu_layers: Layers of the generator on the GPU; as many as fit where `None`, all of them for -1.
        slots: Sequences that the generator decodes in one step.
        embedder_found_in: The file that gave the embedder, where the user has not named that file.
    """

    runs: Path
    embedder: str | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    slots: int | None = None
    embedder_found_in: Path | None = None


def load_settings(
    models: ModelsFile,
    *,
    runs: Path | None = None,
    embedder: str | None = None,
    threads: int | None = None,
    gpu_layers: int | None = None,
    slots: int | None = None,
) -> Settings:
    """Return the settings that hold, each from the first place that gives it.

    Args:
        models: Gives the `[settings]` table.
        runs: What the flag gave; so the others.
        embedder: See `Settings`.
        threads: See `Settings`.
        gpu_layers: See `Settings`.
        slots: See `Settings`.

    Raises:
        ConfigError: A flag or a variable breaks the rule of its setting.
    """
    flags = {
        "runs": str(runs) if runs is not None else None,
        "embedder": embedder,
        "threads": threads,
        "gpu_layers": gpu_layers,
        "slots": slots,
    }
    chosen = {key: _choose(key, flag, models) for key, flag in flags.items()}
    if chosen["runs"] is None:
        # Imported here because most commands never need the folder.
        from platformdirs import user_data_path

        chosen["runs"] = user_data_path("homogaudit", appauthor=False) / "runs"
    is_given = embedder is not None or os.environ.get("HOMOGAUDIT_EMBEDDER")
    return Settings(**chosen, embedder_found_in=None if is_given else models.found_settings.get("embedder"))


def _choose(key: str, flag: object, models: ModelsFile) -> Any:
    """Return one setting from the flag, the environment or models.toml, `None` where none gives it."""
    if flag is not None:
        return check_setting(key, flag, Path(), "--" + key.replace("_", "-"))
    variable = f"HOMOGAUDIT_{key.upper()}"
    given = os.environ.get(variable)
    # An empty variable counts as unset, as shells leave them behind.
    if given:
        return check_setting(key, _number(given, variable) if key in _NUMBERS else given, Path(), variable)
    return models.settings.get(key)


def _number(text: str, variable: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(f"`{variable}` must be a whole number, not `{text}`") from error
