"""models.toml: the generator models, embedders and NLI models that have names.

The packaged file is the default; one more file lies over it, entry by entry and key by key. Knows the files' form and
checks it; does not know whether what an entry points to is there.
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, cast

from homogaudit.config.nearest import did_you_mean, in_backticks
from homogaudit.config.sources import SourceKind, parse_source
from homogaudit.errors import ConfigError, UsageError

Mode = Literal["auto", "chat", "base"]
Stage = Literal["base", "sft", "dpo", "instruct"]
MODES: tuple[Mode, ...] = ("auto", "chat", "base")
STAGES: tuple[Stage, ...] = ("base", "sft", "dpo", "instruct")

_FILE_NAME = "models.toml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_LONGEST = 4000
"""Characters of a value: it is shown on one line."""
_LONGEST_NAME = 80
_BITS_SHOWN = 256
"""A larger number is too long for a line, and from some length on Python does not print it."""
_TOML_PLACE = re.compile(r"(?P<reason>.*?) \(at (?:line (?P<line>\d+), column \d+|end of document)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What every model of models.toml has.

    Attributes:
        name: What the command line calls it.
        source: Where it lies, see `homogaudit.config.sources`; paths are absolute.
        origin: The file that gave the entry or changed it last.
        found_in: The file that gave its source, where the user has not named that file; see `load_models`.
    """

    name: str
    source: str
    origin: Path
    description: str = ""
    found_in: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorEntry(Entry):
    """A generator model.

    Attributes:
        mode: `chat` renders a template, `base` does not, `auto` takes chat where the model has a template.
        family: What the stages and sizes of one release have in common.
        training_cutoff: The last day that its training data can know of.
        context_length: Tokens.
        price_per_million_tokens: In the user's currency; `None` where it costs nothing but time.
    """

    mode: Mode = "auto"
    stage: Stage | None = None
    family: str | None = None
    training_cutoff: date | None = None
    context_length: int | None = None
    price_per_million_tokens: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NliEntry(Entry):
    """An NLI cross-encoder.

    Attributes:
        revision: Branch, tag or commit of a Hugging Face source.
        size_mb: Size of its weights in megabytes.
    """

    revision: str | None = None
    size_mb: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderEntry(NliEntry):
    """A sentence embedder.

    Attributes:
        prompt: Text that the embedder wants before every answer, for example `query: `.
    """

    prompt: str = ""


@dataclass(frozen=True, slots=True)
class ModelsFile:
    """The packaged models.toml with the files laid over it.

    Attributes:
        settings: The `[settings]` table, checked; see `homogaudit.config.settings`.
        files: The files that were read, the packaged one first.
        found: The file that only lies in the working folder, so that the user has not named it; `None` for none.
    """

    generators: Mapping[str, GeneratorEntry]
    embedders: Mapping[str, EmbedderEntry]
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    files: tuple[Path, ...] = ()
    nli: Mapping[str, NliEntry] = field(default_factory=dict[str, NliEntry])
    setting_files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    found: Path | None = None

    @property
    def named_sources(self) -> list[str]:
        """The sources in files that the user has named, the user configuration among them."""
        entries = [*self.generators.values(), *self.embedders.values(), *self.nli.values()]
        return [parse_source(x.source, x.origin.parent).value for x in entries if x.found_in is None]


_Check = Callable[[object, Path], Any]
"""Returns a value of a file in our types; relative paths count from a folder."""


class _BadValueError(ValueError):
    """A value breaks its key's rule; carries the rest of the sentence `KEY ...` and a hint."""

    def __init__(self, rule: str, hint: str | None = None) -> None:
        super().__init__(rule)
        self.hint = hint


def _text(value: object, _folder: Path) -> str:
    if not isinstance(value, str):
        raise _BadValueError("must be a string")
    if len(value) > _LONGEST:
        raise _BadValueError(f"must have at most {_LONGEST:,} characters")
    if any(not character.isprintable() for character in value):
        raise _BadValueError("must be one line without control characters")
    return value


def _filled_text(value: object, folder: Path) -> str:
    text = _text(value, folder)
    if not text.strip():
        raise _BadValueError("must not be empty")
    return text


def _truth(value: object, folder: Path) -> bool:
    # A variable is a number or a text.
    found = {True: True, False: False, "true": True, "false": False}.get(cast(Any, value))
    if found is None:
        raise _BadValueError("must be true or false")
    return found


def _source(value: object, folder: Path) -> str:
    """Check a source and make its path absolute, because a later file may overlay the entry's other keys."""
    text = _filled_text(value, folder)
    try:
        source = parse_source(text, folder)
    except UsageError as error:
        raise _BadValueError(f"is wrong: {error.message}", error.hint) from error
    return source.value if source.kind is SourceKind.PATH else text


def _one_of(options: Iterable[str]) -> _Check:
    names = tuple(options)

    def check(value: object, folder: Path) -> str:
        text = _text(value, folder)
        if text not in names:
            listed = ", ".join(f"`{name}`" for name in names)
            raise _BadValueError(f"must be one of {listed}, not `{text}`", did_you_mean(text, names))
        return text

    return check


def _date(value: object, _folder: Path) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _BadValueError("must be a date without quotes, such as 2023-12-31")
    return value


def _whole(low: int, high: int | None = None) -> _Check:
    rule = f"must be a whole number of at least {low}" + ("" if high is None else f" and at most {high}")

    def check(value: object, _folder: Path) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _BadValueError(rule)
        if value < low or (high is not None and value > high):
            shown = f"{value}" if value.bit_length() <= _BITS_SHOWN else "a number of many digits"
            raise _BadValueError(f"{rule}, not `{shown}`")
        return value

    return check


def _amount(value: object, _folder: Path) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
        raise _BadValueError("must be a number that is not negative")
    try:
        return float(value)
    except OverflowError:
        raise _BadValueError("is too large a number") from None


def _folder_path(value: object, folder: Path) -> Path:
    try:
        return folder / Path(_filled_text(value, folder)).expanduser()
    except RuntimeError as error:
        raise _BadValueError("names an unknown home folder") from error


_GENERATOR_KEYS: Mapping[str, _Check] = {
    "source": _source,
    "mode": _one_of(MODES),
    "stage": _one_of(STAGES),
    "family": _filled_text,
    "training_cutoff": _date,
    "context_length": _whole(1),
    "price_per_million_tokens": _amount,
    "description": _text,
}
_EMBEDDER_KEYS: Mapping[str, _Check] = {
    "source": _source,
    "revision": _filled_text,
    "size_mb": _amount,
    "prompt": _text,
    "description": _text,
}
_NLI_KEYS = {key: check for key, check in _EMBEDDER_KEYS.items() if key != "prompt"}
SETTING_KEYS: Mapping[str, _Check] = {
    "runs": _folder_path,
    "embedder": _filled_text,
    "judge": _filled_text,
    # What a number may be is told by the flag of its name too, see `homogaudit.launch`.
    "samples": _whole(2, 1000),
    "temperature": _amount,
    "max_tokens": _whole(1, 1 << 20),
    "greedy_max_tokens": _whole(1, 1 << 20),
    "until_decided": _truth,
    # ggml's GGML_MAX_N_THREADS; it aborts on more.
    "threads": _whole(1, 512),
    # -1 is llama.cpp's own way to say all of them.
    "gpu_layers": _whole(-1),
    # llama.cpp's LLAMA_MAX_SEQ.
    "slots": _whole(1, 256),
}
"""The settings, each with its rule."""

_TABLES = ("generators", "embedders", "nli", "settings")


def resource(name: str) -> Path:
    """Return a file or folder that ships with the project, `models.toml` or `samples`.

    It lies inside the package in a wheel, and at the root of the repository in a source checkout.

    Raises:
        ConfigError: The installation lacks it.
    """
    package = Path(__file__).parents[1]
    for folder in (package, package.parents[1]):
        if (folder / name).exists():
            return folder / name
    raise ConfigError(f"the packaged file `{name}` is missing", "install homogaudit again")


def load_models(path: Path | None = None) -> ModelsFile:
    """Read the packaged models.toml, the user configuration over it, and one more file over both.

    The user configuration is `models.toml` in the user's configuration folder of the platform. Both it and a file that
    is named count as the user's own word; a file that only lies in the working folder may be somebody else's.

    Args:
        path: The file named by `--models`; `None` takes the one that HOMOGAUDIT_MODELS names, else `models.toml` of
            the working folder where there is one.

    Raises:
        ConfigError: A file cannot be read or breaks a rule; the message names file, entry and key.
    """
    packaged = resource(_FILE_NAME)
    files = [packaged]
    overlay = path or (Path(os.environ["HOMOGAUDIT_MODELS"]) if os.environ.get("HOMOGAUDIT_MODELS") else None)
    is_named = overlay is not None
    user = user_models_file()
    if user.is_file() and not user.samefile(packaged):
        files.append(user)
    if overlay is None:
        own = Path(_FILE_NAME)
        overlay = own if own.is_file() else None
    if overlay is not None and not (overlay.exists() and any(overlay.samefile(file) for file in files)):
        files.append(overlay)
    else:
        overlay = None
    found = None if is_named else overlay

    generators: dict[str, dict[str, Any]] = {}
    embedders: dict[str, dict[str, Any]] = {}
    nli: dict[str, dict[str, Any]] = {}
    settings: dict[str, Any] = {}
    setting_files: dict[str, Path] = {}
    for file in files:
        tables = _read(file)
        is_found = file is found
        _overlay(generators, tables.get("generators", {}), _GENERATOR_KEYS, "generator", file, is_found=is_found)
        _overlay(embedders, tables.get("embedders", {}), _EMBEDDER_KEYS, "embedder", file, is_found=is_found)
        _overlay(nli, tables.get("nli", {}), _NLI_KEYS, "NLI model", file, table="nli", is_found=is_found)
        own_settings = _table(tables.get("settings", {}), "`[settings]`", file)
        settings |= (given := _checked(own_settings, SETTING_KEYS, "`[settings]`", file))
        setting_files |= dict.fromkeys(given, file.absolute())
        kind, _, judge = given.get("judge", "").partition(":")
        if is_found and kind == "model" and judge not in generators:
            # The user is asked before a server with an entry is contacted; see `homogaudit.config.trust`.
            hint = did_you_mean(judge, generators, "give it an entry in `[generators]`, and name that")
            raise ConfigError(f"`{file}`: `[settings]`: `judge` names a model without an entry, `{judge}`", hint)
    return ModelsFile(
        generators={name: GeneratorEntry(name=name, **values) for name, values in generators.items()},
        embedders={name: EmbedderEntry(name=name, **values) for name, values in embedders.items()},
        settings=settings,
        files=tuple(files),
        nli={name: NliEntry(name=name, **values) for name, values in nli.items()},
        setting_files=setting_files,
        found=None if found is None else found.absolute(),
    )


def user_models_file() -> Path:
    """Return where the user configuration of models lies, whether it is there or not."""
    # Imported here because `--help` needs no folder.
    from platformdirs import user_config_path

    return user_config_path("homogaudit", appauthor=False) / _FILE_NAME


def _read(file: Path) -> dict[str, Any]:
    """Parse one file and check the names of its tables."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read models file `{file}`: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"models file `{file}` is not UTF-8 text") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.match(str(error))
        reason = found["reason"] if found else str(error)
        line = found["line"] if found else None
        # Where the text ends too early the parser names no line.
        place = f"line {line or len(text.splitlines())}"
        raise ConfigError(f"`{file}`, {place}: {reason[:1].lower()}{reason[1:]}", "the file must be TOML") from error
    except ValueError as error:
        # The parser's own errors are above; this is Python's limit of digits.
        raise ConfigError(f"`{file}` holds a number of too many digits", "no value is that large") from error
    except RecursionError:
        raise ConfigError(
            f"`{file}` is nested too deeply to be read", "the file must be TOML of a few tables"
        ) from None
    for name in tables:
        if name not in _TABLES:
            otherwise = "tables are " + ", ".join(f"`[{table}]`" for table in _TABLES)
            name = _cut(name)
            raise ConfigError(f"`{file}`: unknown table `{name}`", did_you_mean(name, _TABLES, otherwise))
    return tables


def _cut(name: str) -> str:
    """Return a name that fits into a line, and that is compared with others in no time."""
    return name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"


def _overlay(
    entries: dict[str, dict[str, Any]],
    given_entries: object,
    keys: Mapping[str, _Check],
    what: str,
    file: Path,
    *,
    table: str | None = None,
    is_found: bool,
) -> None:
    """Lay one file's entries over `entries`, key by key; `is_found` tells a file that the user has not named."""
    for name, given in _table(given_entries, f"`[{table or what + 's'}]`", file).items():
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"`{file}`: {what} name {_cut(name)!a} is not usable",
                "a name has 200 letters, digits, `.`, `_` and `-` at most, and begins with a letter or a digit",
            )
        place = f"{what} `{name}`"
        values = _checked(_table(given, place, file), keys, place, file)
        merged = {**entries.get(name, {}), **values, "origin": file}
        if "source" in values:
            merged["found_in"] = file.absolute() if is_found else None
        if "source" not in merged:
            raise ConfigError(f"`{file}`: {place} has no `source`", "say where the model lies")
        entries[name] = merged


def _table(value: object, place: str, file: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"`{file}`: {place} must be a table")
    return value  # pyright: ignore[reportUnknownVariableType]  (TOML keys are strings)


def _checked(table: Mapping[str, Any], keys: Mapping[str, _Check], place: str, file: Path) -> dict[str, Any]:
    """Check every key of one table and return its values in our types."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in keys:
            otherwise = "keys are " + ", ".join(f"`{known}`" for known in keys)
            key = _cut(key)
            raise ConfigError(f"`{file}`: {place}: unknown key {in_backticks(key)}", did_you_mean(key, keys, otherwise))
        try:
            values[key] = keys[key](value, file.absolute().parent)
        except _BadValueError as error:
            raise ConfigError(f"`{file}`: {place}: `{key}` {error}", error.hint) from error
    return values


def check_setting(key: str, value: object, folder: Path, place: str) -> Any:
    """Return the checked value of one setting; `place` is what an error calls it, for example `HOMOGAUDIT_SLOTS`.

    Raises:
        ConfigError: The value breaks the key's rule.
    """
    try:
        return SETTING_KEYS[key](value, folder)
    except _BadValueError as error:
        raise ConfigError(f"`{place}` {error}", error.hint) from error
