"""Which model a MODEL argument means, where only some kinds can be drawn from. Loads none."""

from homogaudit.config import ModelsFile, ResolvedGenerator, resolve_generator
from homogaudit.errors import UsageError

__all__ = ["resolve_gguf"]

_NOT_SUPPORTED = {
    "huggingface": (
        "is a Hugging Face model, which is not supported yet",
        "convert it to GGUF with llama.cpp's convert_hf_to_gguf.py, and name the .gguf file",
    ),
    "server": (
        "is a server, which is not supported yet",
        "name a .gguf file, or record its answers elsewhere and read them with `homogaudit import`",
    ),
}
"""What is wrong with a kind of model, and what to do about it."""


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
