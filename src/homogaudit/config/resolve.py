"""From what the command line says to the model that is meant. Never downloads and never loads a model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from homogaudit.config.models_file import Entry, GeneratorEntry, ModelsFile
from homogaudit.config.nearest import did_you_mean
from homogaudit.config.sources import (
    BARE_DOMAIN,
    HUB_ID,
    Source,
    SourceKind,
    hub_folder,
    locate,
    package_folder,
    parse_source,
    pip_command,
)
from homogaudit.config.trust import Trust
from homogaudit.errors import UsageError

DEFAULT_EMBEDDER = "all-minilm-l6-v2"
"""The embedder that the extra `demo` installs; it needs no network."""

GeneratorKind = Literal["gguf", "huggingface", "server"]
_AnyEntry = TypeVar("_AnyEntry", bound=Entry)

_MODEL_FORMS = "a model is a .gguf file, a Hugging Face folder or id, a name from `homogaudit models`, or a URL"
_EMBEDDER_FORMS = (
    "an embedder is a sentence-transformers folder, a Hugging Face id, a .gguf file, a URL, or a name of "
    "`homogaudit models`"
)
_NLI_FORMS = "an NLI model is a folder or Hugging Face id of a cross-encoder, or a name from `homogaudit models`"


@dataclass(frozen=True, slots=True)
class ResolvedGenerator:
    """The generator that is meant.

    Attributes:
        name: Short name for reports and file names.
        location: Path, Hugging Face id or URL.
        entry: What models.toml says of it; `None` where it was not named there.
    """

    name: str
    kind: GeneratorKind
    location: str
    entry: GeneratorEntry | None = None


@dataclass(frozen=True, slots=True)
class ResolvedScorer:
    """The embedder or the NLI model that is meant.

    Attributes:
        name: Short name for reports and cache keys.
        location: Folder, Hugging Face id, or of an embedder a GGUF file or a URL.
        revision: Branch, tag or commit of a Hugging Face id; `None` for its default.
        prompt: Text to put before every answer; empty for most.
    """

    name: str
    location: str
    revision: str | None = None
    prompt: str = ""


def _source_of(entry: Entry) -> Source:
    return parse_source(entry.source, entry.origin.parent)


def is_present(entry: Entry) -> bool | None:
    """Whether the entry can be used without a download or an installation; `None` for a server, which is not asked."""
    source = _source_of(entry)
    match source.kind:
        case SourceKind.SERVER:
            return None
        case SourceKind.HUB:
            return hub_folder(source.value, getattr(entry, "revision", None)) is not None
        case SourceKind.PATH:
            return Path(source.value).exists()
        case SourceKind.PACKAGE_FUNCTION:
            return package_folder(source.module) is not None
        case SourceKind.PACKAGE_FILE:
            folder = package_folder(source.module)
            return folder is not None and (folder / source.value).exists()


def how_to_get(entry: Entry) -> str:
    """Return in a few words how an absent entry is had; a command where there is one."""
    source = _source_of(entry)
    match source.kind:
        case SourceKind.SERVER:
            return f"start the server at {source.value}"
        case SourceKind.HUB:
            return f"hf download {source.value}"
        case SourceKind.PATH:
            return f"put it at {source.value}"
        case SourceKind.PACKAGE_FILE | SourceKind.PACKAGE_FUNCTION:
            return pip_command(source.module)


def _find(
    what: str, text: str, entries: Mapping[str, _AnyEntry], forms: str, trust: Trust, found_in: Path | None = None
) -> tuple[Source, _AnyEntry | None]:
    """Return where the model lies that `text` means, and its entry where it has one.

    Asks before a server is contacted or a function is called because a file says so that the user did not name, and
    tells of any other model that such a file gives.
    """
    entry = entries.get(text)
    source = _source_of_text(text, what, entries, forms) if entry is None else _source_of(entry)
    if entry is not None:
        found_in = entry.found_in
    if source.kind in (SourceKind.SERVER, SourceKind.PACKAGE_FUNCTION):
        if found_in is None:
            trust.name(source.value)
        else:
            is_server = source.kind is SourceKind.SERVER
            location = source.value if is_server else f"package:{source.module}:{source.value}"
            trust.admit(f"{what} `{entry.name}`" if entry else f"the {what}", location, found_in)
    elif entry is not None and found_in is not None:
        trust.tell_of(f"{what} `{entry.name}`", source.value, found_in)
    return source, entry


def resolve_generator(text: str, models: ModelsFile, trust: Trust | None = None) -> ResolvedGenerator:
    """Return the generator that `text` means.

    It is a name of models.toml, a path to a GGUF file, a Hugging Face folder or id, a URL, or any source that
    models.toml could hold. A name goes before a file of the same name; write `./NAME` for the file. Without `trust`
    what only a file names is refused.

    Raises:
        UsageError: It is none of these, the path is missing, or its package is not installed.
        UsageError: The user does not agree to what the file says.
        ModelError: The package that holds it failed to provide it.
    """
    source, entry = _find("model", text, models.generators, _MODEL_FORMS, trust or Trust(models.named_sources))
    try:
        return _generator_at(source, entry.name if entry else _short_name(source), entry)
    except UsageError as error:
        if entry is None:
            raise
        raise UsageError(f"model `{entry.name}`: {error.message}", error.hint) from error


def resolve_embedder(
    text: str | None, models: ModelsFile, trust: Trust | None = None, *, found_in: Path | None = None
) -> ResolvedScorer:
    """Return the embedder that `text` means, the default one for `None`.

    It is a name of models.toml, a folder, a Hugging Face id, a GGUF file or a URL; `found_in` is the file that gave it,
    where the user has named neither. Without `trust` what only a file names is refused.

    Raises:
        UsageError: It is no name, folder or Hugging Face id, or its package is not installed.
        UsageError: The user does not agree to what a file says.
        ModelError: The package that holds it failed to provide it.
    """
    trust = trust or Trust(models.named_sources)
    text = DEFAULT_EMBEDDER if text is None else text
    source, entry = _find("embedder", text, models.embedders, _EMBEDDER_FORMS, trust, found_in)
    try:
        location = locate(source)
    except UsageError as error:
        if entry is None:
            raise
        others = [name for name in models.embedders if name != entry.name]
        instead = f", or choose another with `--embedder`, such as `{others[0]}`" if others else ""
        hint = f"{error.hint}{instead}" if error.hint else None
        raise UsageError(f"embedder `{entry.name}`: {error.message}", hint) from error
    is_gguf = location.lower().endswith(".gguf") and Path(location).is_file()
    is_elsewhere = source.kind in (SourceKind.HUB, SourceKind.SERVER)
    if not is_elsewhere and not is_gguf and not (Path(location) / "config.json").is_file():
        raise UsageError(f"`{location}` holds no sentence-transformers model", "the folder has no config.json")
    if entry is None:
        return ResolvedScorer(_short_name(source), location)
    return ResolvedScorer(entry.name, location, entry.revision, entry.prompt)


def resolve_nli(text: str, models: ModelsFile, trust: Trust | None = None) -> ResolvedScorer:
    """Return the NLI model that `text` means.

    Raises:
        UsageError: It is no name, folder or Hugging Face id.
        UsageError: The user does not agree to what a file says of it.
        ModelError: The package that holds it failed to provide it.
    """
    source, entry = _find("NLI model", text, models.nli, _NLI_FORMS, trust or Trust(models.named_sources))
    name, revision = (entry.name, entry.revision) if entry else (_short_name(source), None)
    found = ResolvedScorer(name, locate(source), revision)
    if source.kind is SourceKind.SERVER:
        raise UsageError(f"NLI model `{name}` is a URL", _NLI_FORMS)
    if source.kind is not SourceKind.HUB and not (Path(found.location) / "config.json").is_file():
        raise UsageError(f"`{found.location}` holds no NLI model", "the folder has no config.json")
    return found


def _source_of_text(text: str, what: str, names: Iterable[str], forms: str) -> Source:
    """Read what is no name of models.toml: a source, an existing path or a bare ORG/NAME."""
    if not text.strip():
        raise UsageError(f"the {what} is empty", forms)
    if any(not character.isprintable() for character in text):
        raise UsageError(f"{text!a} is not a usable {what}", forms)
    path = Path(text)
    if path.exists():
        return Source(SourceKind.PATH, text)
    source = parse_source(text, Path())
    if source.kind is not SourceKind.PATH or Path(source.value).exists():
        return source
    if BARE_DOMAIN.fullmatch(text):
        raise UsageError(f"`{text}` has no scheme", f"did you mean `https://{text}`?")
    is_file_name = path.suffix == ".gguf"
    # An id whose first half is a folder here is a mistyped path rather than a repository.
    if HUB_ID.fullmatch(text) and not is_file_name and not path.parent.is_dir():
        return Source(SourceKind.HUB, text)
    if is_file_name or len(path.parts) > 1 or text.startswith("~"):
        raise UsageError(f"no such {what} file or folder: `{text}`", _near_path(Path(source.value)) or forms)
    raise UsageError(f"unknown {what} `{text}`", did_you_mean(text, names, forms))


def _near_path(path: Path) -> str | None:
    """Return the hint that names files beside a missing path."""
    try:
        beside = [str(other) for other in path.parent.iterdir()]
    except OSError:
        return f"the folder `{path.parent}` cannot be read" if path.parent.name else None
    return did_you_mean(str(path), beside)


def _short_name(source: Source) -> str:
    """Return a short name of a source that has none in models.toml."""
    match source.kind:
        case SourceKind.PATH:
            path = Path(source.value).absolute()
            return path.name if path.is_dir() else path.stem
        case SourceKind.HUB:
            return source.value
        case SourceKind.SERVER:
            return urlsplit(source.value).netloc
        case SourceKind.PACKAGE_FILE:
            return Path(source.value).stem
        case SourceKind.PACKAGE_FUNCTION:
            return source.module


def _generator_at(source: Source, name: str, entry: GeneratorEntry | None) -> ResolvedGenerator:
    """Decide which backend runs what lies at `source`."""
    location = locate(source)
    if source.kind is SourceKind.SERVER:
        return ResolvedGenerator(name, "server", location, entry)
    if source.kind is SourceKind.HUB:
        return ResolvedGenerator(name, "huggingface", location, entry)
    path = Path(location)
    if path.is_file():
        # Any file goes to llama.cpp, whatever its suffix: it says itself when one is no GGUF file.
        return ResolvedGenerator(name, "gguf", location, entry)
    if (path / "config.json").is_file():
        return ResolvedGenerator(name, "huggingface", location, entry)
    inside = sorted(path.glob("*.gguf"))
    hint = f"name the file: `{inside[0]}`" if inside else "the folder has no config.json"
    raise UsageError(f"`{location}` holds no Hugging Face model", hint)
