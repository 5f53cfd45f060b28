"""Where a Hugging Face model lies, and whether its folder holds what can be loaded. Reads no weights."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from homogaudit.config.sources import hub_folder
from homogaudit.errors import ModelError

_PATTERNS = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")
"""What is downloaded: no pickled weights, no code."""

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def find_folder(location: str, warn: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder of a model that can be loaded; a Hub id that is not here yet is downloaded.

    Of a Hub id any revision that is here will do.

    Raises:
        ModelError: It is not here and the Hub cannot be reached, or its folder cannot be loaded.
    """
    folder = Path(location).expanduser()
    if not folder.is_dir():
        folder = hub_folder(location) or _download(location, warn)
    check_folder(folder)
    return folder


def check_folder(folder: Path) -> None:
    """Check that a folder holds a configuration and complete safetensors weights.

    Raises:
        ModelError: It does not; pickled weights are refused, because loading them runs what they hold.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"`{folder}` holds no Hugging Face model", "the folder has no config.json")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        missing = [name for name in _shards(index) if not (folder / name).is_file()]
        if missing:
            raise ModelError(
                f"`{folder}` lacks {len(missing)} of its weight files, for example `{missing[0]}`",
                "the download is not complete: run it again",
            )
        return
    if next(folder.glob("*.safetensors"), None):
        return
    if any(next(folder.glob(pattern), None) for pattern in _PICKLED):
        raise ModelError(
            f"`{folder}` holds only pickled weights, which can run code when they are loaded",
            "convert them to safetensors where you trust them: `save_pretrained` of transformers writes them",
        )
    raise ModelError(f"`{folder}` holds no weights", "download the model's .safetensors files into it")


def _shards(index: Path) -> list[str]:
    try:
        listed = cast(dict[str, Any], json.loads(index.read_text(encoding="utf-8")))
        names = sorted(set(cast(dict[str, str], listed["weight_map"]).values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelError(f"cannot read `{index}`: {type(error).__name__}", "download the model again") from error
    return names


def _download(hub_id: str, warn: Callable[[str], None]) -> Path:
    hint = f"download it with `hf download {hub_id}` where there is a network, or name its folder"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise ModelError(f"`{hub_id}` is not downloaded, and HF_HUB_OFFLINE forbids asking the Hub", hint)
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    warn(f"downloading `{hub_id}` from the Hugging Face Hub")
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(_PATTERNS)))
    # The Hub's client and what lies below it raise nearly every class there is.
    except Exception as error:
        message = f"`{hub_id}` is not downloaded, and the Hub does not give it: {one_line(error)}"
        raise ModelError(message, hint) from error


def one_line(error: BaseException) -> str:
    """Return the first line of what a library says of its error."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
