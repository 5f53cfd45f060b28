"""Settings that can be given in several places: flag > HOMOGAUDIT_* > `[settings]` of models.toml > default.

Knows no flags of any command: a command passes what its own flags gave.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homogaudit.config.models_file import SETTING_KEYS, ModelsFile, check_setting


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for this process; `None` leaves the choice to the command or the engine.

    Attributes:
        judge: Who labels the greedy answers of a new run.
        samples: Samples per question of a new run; so temperature, max_tokens and greedy_max_tokens.
        until_decided: Whether a new run stops once it is decided.
        threads: Threads of the generator; the physical cores where `None`.
        gpu_layers: Layers of the generator on the GPU; as many as fit where `None`, all of them for -1.
        slots: Sequences that the generator decodes in one step.
        embedder_found_in: The file that gave the embedder, where the user has not named that file.
        given_by: The settings that are no defaults, each with its flag, its variable or its file.
    """

    runs: Path
    embedder: str | None = None
    judge: str | None = None
    samples: int | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    greedy_max_tokens: int | None = None
    until_decided: bool | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    slots: int | None = None
    embedder_found_in: Path | None = None
    given_by: Mapping[str, str] = field(default_factory=dict[str, str])

    def place_of(self, key: str, value: object) -> str:
        """Return what gave a value of a setting: a variable, a file, or the flag of its name."""
        return self.given_by.get(key, "") if value == getattr(self, key) else "--" + key.replace("_", "-")


def load_settings(models: ModelsFile, **flags: object) -> Settings:
    """Return the settings that hold, each from the first place that gives it.

    Args:
        models: Gives the `[settings]` table.
        **flags: What flags of a command gave, by the name of the setting; `None` of one that was left out.

    Raises:
        ConfigError: A flag or a variable breaks the rule of its setting.
    """
    values: dict[str, Any] = {}
    given_by: dict[str, str] = {}
    for key in SETTING_KEYS:
        variable = f"HOMOGAUDIT_{key.upper()}"
        if (flag := flags.get(key)) is not None:
            given_by[key] = "--" + key.replace("_", "-")
            values[key] = check_setting(key, flag, Path(), given_by[key])
        # An empty variable counts as unset, as shells leave them behind.
        elif given := os.environ.get(variable):
            given_by[key] = variable
            values[key] = check_setting(key, _number(given), Path(), variable)
        elif key in models.settings:
            given_by[key] = str(models.setting_files[key])
            values[key] = models.settings[key]
    if "runs" not in values:
        # Imported here because most commands never need the folder.
        from platformdirs import user_data_path

        values["runs"] = user_data_path("homogaudit", appauthor=False) / "runs"
    is_found = models.found is not None and given_by.get("embedder") == str(models.found)
    return Settings(**values, embedder_found_in=models.found if is_found else None, given_by=given_by)


def _number(text: str) -> str | int | float:
    """Return the number that a variable holds, else its text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
