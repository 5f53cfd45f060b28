"""Where the answers of a run come from, as an exported file tells it: all, or nothing that tells of the machine."""

import re
from typing import Any

from homogaudit.codec import to_values
from homogaudit.store.run_file import RunFile

_PUBLIC = ("kind", "fingerprint", "sha256", "stage", "family", "context_length")
_PUBLIC_DETAILS = ("model", "number_format", "vocabulary", "train_context", "gpu_layers")
"""What may be told of a model. Names of files, folders and servers, kernels and processes are not among it."""


def provenance(run: RunFile, *, redact: bool) -> dict[str, Any]:
    """Return the model, how it was asked, and what drew its answers.

    With `redact` without paths, addresses, the platform, and the time of day.
    """
    drawn = next((session.provenance for session in run.sessions() if session.kind == "generate"), {})
    model = {key: value for key, value in to_values(run.model_source).items() if value is not None and key != "name"}
    details = dict(drawn.get("details", {}))
    keys = ["versions", "platform", "device", "slots"]
    if redact:
        model = {key: value for key, value in model.items() if key in _PUBLIC}
        details = {key: value for key, value in details.items() if key in _PUBLIC_DETAILS}
        keys.remove("platform")
        if model.get("kind") == "server":
            keys.remove("device")
    return {
        "model": model,
        "details": details,
        "prompting": run.parameters.get("prompting"),
        "drawn": run.created[:10] if redact else run.created,
        **{key: drawn[key] for key in keys if key in drawn},
    }


def public_name(name: str) -> str:
    """Return a model's name without the path or the address that it may be."""
    if "://" in name:
        return name.partition("#")[2] or "a model on a server"
    if re.match(r"[/\\.~]|[A-Za-z]:", name):
        return re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    return name
