"""Which model a MODEL argument means, where only some kinds can be drawn from. Loads none."""

from collections.abc import Callable
from dataclasses import replace

from homogaudit.config import ModelsFile, ResolvedGenerator, Trust, resolve_generator
from homogaudit.errors import UsageError
from homogaudit.generation.transformers_folder import find_folder


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


def resolve_measurable(
    text: str, models: ModelsFile, warn: Callable[[str], None], trust: Trust | None = None
) -> ResolvedGenerator:
    """Return the model on this machine that `text` means.

    Raises:
        UsageError: It is a server.
        HomogauditError: As `resolve_drawable`.
    """
    generator = resolve_drawable(text, models, warn, trust)
    if generator.kind == "server":
        hint = f"name a model on this machine, and the server with `--against {text}`"
        raise UsageError(f"`{generator.name}` is a server, and `bench` compares a model on this machine with it", hint)
    return generator


def resolve_folder(text: str, models: ModelsFile, warn: Callable[[str], None], trust: Trust | None = None) -> str:
    """Return the Hugging Face folder that `text` means.

    Raises:
        UsageError: It is a model of another kind.
        HomogauditError: As `resolve_drawable`.
    """
    generator = resolve_drawable(text, models, warn, trust)
    if generator.kind != "huggingface":
        raise UsageError(f"`{text}` is no Hugging Face model", "`--transformers` takes a folder with safetensors")
    return generator.location


def resolve_server(text: str, models: ModelsFile, trust: Trust | None = None) -> str:
    """Return the `URL[#MODEL]` of the server that `text` means.

    Raises:
        UsageError: It is no server, or several.
        UsageError: The user does not agree to what a file says of it.
    """
    generator = resolve_generator(text, models, trust)
    if generator.kind != "server" or "," in generator.location:
        raise UsageError(f"`{text}` is not the URL of one server", "for example `--against http://localhost:8000/v1`")
    return generator.location
