"""The facts about a run that stand beside its tables, each with its type: what drew it, and what scored it.

Every fact is JSON under a key of the table `meta`, and records pass through `homogaudit.codec`. What a record does not
know is left alone, so that files of earlier and later versions are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar, overload

from homogaudit.codec import from_values, to_values
from homogaudit.errors import RunFileError
from homogaudit.store.database import Database

_T = TypeVar("_T")
_K = TypeVar("_K")

AskedIn = Literal["the same conversation", "a separate prompt"]
"""Where a model is asked about an answer of its own: behind it, or in a prompt that repeats question and answer."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The model that a run is drawn from, and where it lay.

    Attributes:
        kind: `gguf`, `huggingface` or `server`; `None` of recorded answers.
        fingerprint: What tells the model's files from others.
        location: Path of a file or a folder, or addresses of servers.
        stage: This and the next four as models.toml names them.
        sha256: Of the whole file; `None` where it was not asked for.
    """

    name: str = ""
    kind: str | None = None
    fingerprint: Mapping[str, Any] | None = None
    server_model: str | None = None
    location: str | None = None
    stage: str | None = None
    family: str | None = None
    training_cutoff: date | None = None
    context_length: int | None = None
    price_per_million_tokens: float | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class EmbedderUsed:
    """An embedder that a scoring of the run used, kept because its clusters stay.

    Attributes:
        calibrated_threshold: The cosine that was calibrated for it by then; `None` without one.
        meaning: Key of similarities in meaning that came with recorded answers; `None` without any.
    """

    name: str = ""
    calibrated_threshold: float | None = None
    meaning: str | None = None


@dataclass(frozen=True, slots=True)
class JudgeUsed:
    """A model that judged answers of the run, kept because its labels stay."""

    name: str = ""
    kind: str = ""
    fingerprint: Mapping[str, Any] = field(default_factory=dict[str, Any])
    prompt_sha256: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ThinkingFacts:
    """How the thinking of the model is told from its answers.

    Attributes:
        reason: What told them, in words.
        begins_in_prompt: Whether thinking begins before the text; `None` where the answers were not asked.
        warnings: What a reader of the figures should know of it.
    """

    families: tuple[str, ...] = ()
    reason: str = ""
    begins_in_prompt: bool | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedFacts:
    """What came with a file of recorded answers and has no place in the tables.

    Attributes:
        header: Keys of its header that the format does not know.
        signals: Its names of signals, and the names that they are stored under.
        generation_extra: Unknown keys of draws, by question id and sample index.
    """

    header: Mapping[str, Any] = field(default_factory=dict[str, Any])
    signals: Mapping[str, str] = field(default_factory=dict[str, str])
    generation_extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterLabels:
    """What a person says of whole questions: whether all answers to one have one meaning.

    Attributes:
        clustering: Key of the clustering that decided when they were stored: they are a sample by what it found.
        one_meaning: By question id.
    """

    clustering: str = ""
    one_meaning: Mapping[str, bool] = field(default_factory=dict[str, bool])


class Fact(Generic[_T]):
    """A fact about a run as an attribute: read when it is asked for, stored when it is assigned.

    Stored as JSON under its key, by default the attribute's name; `default` where nothing is stored.
    """

    @overload
    def __init__(self: "Fact[_K | None]", kind: type[_K], *, key: str = "") -> None: ...

    @overload
    def __init__(self: "Fact[_K]", kind: type[_K], default: _K, *, key: str = "") -> None: ...

    def __init__(self, kind: Any, default: Any = None, *, key: str = "") -> None:
        self._kind, self._default, self._key = kind, default, key

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = self._key or name

    @overload
    def __get__(self, run: None, owner: type | None = None) -> Self: ...

    @overload
    def __get__(self, run: Database, owner: type | None = None) -> _T: ...

    def __get__(self, run: Database | None, owner: type | None = None) -> Any:
        if run is None:
            return self
        stored = run.meta(self._key)
        if stored is None or type(stored) is self._kind:
            return self._default if stored is None else stored
        return read_record(run.path, self._key, self._kind, stored)

    def __set__(self, run: Database, value: _T) -> None:
        run.set_meta(self._key, value if isinstance(value, str | int | None) else to_values(value))


def read_record(path: Path, key: str, kind: type[_K], stored: object) -> _K:
    """Return the record behind a stored fact.

    Raises:
        RunFileError: Something else is stored there.
    """
    try:
        return from_values(kind, stored)
    except ValueError as error:
        raise RunFileError(f"the fact `{key}` of `{path}` cannot be read: {error}") from None
