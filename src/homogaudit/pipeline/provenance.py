"""What a session stores of the machine, the versions and the model that it worked with."""

import contextlib
import importlib.metadata
import platform
from typing import Any

from homogaudit.generation.generator import Drawing, Generator

_PACKAGES = (
    "homogaudit",
    "llama-cpp-python",
    "numpy",
    "scikit-learn",
    "sentence-transformers",
    "torch",
    "transformers",
)
"""What figures can depend on."""


def machine_facts() -> dict[str, Any]:
    """Return what every session stores of where it ran."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {"versions": versions, "platform": platform.platform()}


def drawing_facts(generator: Generator, drawing: Drawing | None) -> dict[str, Any]:
    """Return the facts of a session that draws, with what the drawing has cost so far."""
    facts = generator.facts
    counts = drawing.counts if drawing else None
    return machine_facts() | {
        "device": facts.device,
        "slots": facts.slots,
        "context": facts.context,
        "mode": facts.mode,
        "details": dict(facts.details),
        "passes": counts.passes if counts else 0,
        "tokens": counts.tokens if counts else 0,
        "prompt_tokens": counts.prompt_tokens if counts else 0,
        "drawing_seconds": counts.seconds if counts else 0.0,
    }


def judging_facts(generator: Generator) -> dict[str, Any]:
    """Return the facts of a session that judges; under a name of their own, as the judge did not draw the answers."""
    facts = generator.facts
    judge = {"device": facts.device, "mode": facts.mode, "details": dict(facts.details)}
    return machine_facts() | {"judge": judge}
