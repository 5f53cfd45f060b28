"""Which model a MODEL argument means, where only some kinds can be drawn from. Loads none."""

from collections.abc import Callable
from dataclasses import replace

from homogaudit.config import ModelsFile, ResolvedGenerator, Trust, resolve_generator
from homogaudit.errors import UsageError
from homogaudit.generation.transformers_folder import find_folder

_NOT_SUPPORTED = {
    "huggingface": (
        "is a Hugging Face model, which this command does not measure",
        "convert it to GGUF with llama.cpp's convert_hf_to_gguf.py, and name the .gguf file",
    ),
    "server": (
        "is a server, which this command does not measure",
        "name a .gguf file",
    ),
}
"""What is wrong with a kind of model, and what to do about it."""


def resolve_drawable(
    text: str, models: ModelsFile, warn: Callable[[str], None], trust: Trust | None = None
) -> ResolvedGenerator:
    """Return the model that `text` means; one of the Hugging Face Hub lies in a folder then.

    `warn` is told before a download begins. Without `trust` what only a file names is refused.

    Raises:
        UsageError: It is no model.
        UsageError: The user does not agree to what a file says of it.
        ModelError: It cannot be downloaded, its folder holds nothing that can be loaded, or its package failed.
    """
    generator = resolve_generator(text, models, trust)
    if generator.kind == "server" and generator.entry is None and generator.location != text:
        warn(f"`{text}` is taken as `{generator.location}`")
    if generator.kind != "huggingface":
        return generator
    return replace(generator, location=str(find_folder(generator.location, warn)))


def resolve_gguf(text: str, models: ModelsFile) -> ResolvedGenerator:
    """Return the GGUF model that `text` means.

    Raises:
        UsageError: It is no model, or of a kind that cannot be drawn from yet.
        ModelError: The package that holds it failed to provide it.
    """
    generator = resolve_generator(text, models)
    if generator.kind != "gguf":
        wrong, hint = _NOT_SUPPORTED[generator.kind]
        raise UsageError(f"`{generator.name}` {wrong}", hint)
    return generator
