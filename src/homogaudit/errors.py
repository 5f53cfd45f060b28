"""One exception tree; every class carries its exit code and its closed `kind`.

```
HomogauditError              exit  kind
├── UsageError                2    usage          a flag or argument is wrong
│   ├── ConfigError           2    config         models.toml or a setting is wrong
│   ├── QuestionFileError     2    questions      a question file cannot be read
│   ├── RecordedFileError     2    recorded       a file of recorded generations cannot be read
│   ├── RunFileError          2    run_file       a run file is missing, foreign, newer or in use
│   └── ParametersDifferError 2    parameters     a run exists that was started with other parameters
├── ModelError                3    model          the model file cannot be loaded or used
│   └── ContextTooShortError  3    context        a prompt and its answer do not fit the model's context
├── EngineError               3    engine         the engine process failed
├── EmbedderError             3    embedder       the embedder cannot be loaded or used
├── StorageError              3    storage        the run file cannot be written (disk full, permission)
├── IncompleteRunError        4    incomplete     the run is not complete
├── GateFailedError           1    gate           a gate such as `--max-scr` failed
├── InterruptedRunError     130    interrupted    the user stopped the run
└── UndefinedStatisticError   2    undefined      a figure does not exist for these data
```

An `UndefinedStatisticError` never reaches the user as a failure: the report turns it into a null with its reason.
"""

import errno
from typing import ClassVar

__all__ = [
    "ConfigError",
    "ContextTooShortError",
    "EmbedderError",
    "EngineError",
    "GateFailedError",
    "HomogauditError",
    "IncompleteRunError",
    "InterruptedRunError",
    "ModelError",
    "ParametersDifferError",
    "QuestionFileError",
    "RecordedFileError",
    "RunFileError",
    "StorageError",
    "UndefinedStatisticError",
    "UsageError",
    "from_kind",
    "has_no_memory",
    "machine_error",
    "storage_error",
]


class HomogauditError(Exception):
    """Base of every error that the user sees as one line.

    Args:
        message: One lower-case line, values in backticks, no full stop.
        hint: What to do about it, or `None`.
    """

    exit_code: ClassVar[int] = 3
    kind: ClassVar[str] = "error"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type, tuple[str, str | None]]:
        return (type(self), (self.message, self.hint))


class UsageError(HomogauditError):
    """A flag or an argument is wrong."""

    exit_code = 2
    kind = "usage"


class ConfigError(UsageError):
    """models.toml or a setting is wrong."""

    kind = "config"


class QuestionFileError(UsageError):
    """A question file cannot be read; the message names the line."""

    kind = "questions"


class RecordedFileError(UsageError):
    """A file of recorded generations cannot be read; the message names the line."""

    kind = "recorded"


class RunFileError(UsageError):
    """A run file is missing, not ours, of a newer schema, or in use by another process."""

    kind = "run_file"


class ParametersDifferError(UsageError):
    """The run file was started with other parameters than those given now."""

    kind = "parameters"


class ModelError(HomogauditError):
    """The model file cannot be loaded or used."""

    kind = "model"


class ContextTooShortError(ModelError):
    """A prompt and its answer do not fit the model's context.

    `question_ids` names the questions whose prompts are too long; it is empty where it is not the prompts.
    """

    kind = "context"

    def __init__(self, message: str, hint: str | None = None, question_ids: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.question_ids = question_ids


class EngineError(HomogauditError):
    """The engine process failed."""

    kind = "engine"


class EmbedderError(HomogauditError):
    """The embedder cannot be loaded or used."""

    kind = "embedder"


class StorageError(HomogauditError):
    """The run file cannot be written."""

    kind = "storage"


class IncompleteRunError(HomogauditError):
    """The run is not complete."""

    exit_code = 4
    kind = "incomplete"


class GateFailedError(HomogauditError):
    """A gate such as `--max-scr` failed."""

    exit_code = 1
    kind = "gate"


class InterruptedRunError(HomogauditError):
    """The user stopped the run; what was generated is in the run file."""

    exit_code = 130
    kind = "interrupted"


class UndefinedStatisticError(HomogauditError):
    """A figure does not exist for these data, for example an AUROC of one class."""

    exit_code = 2
    kind = "undefined"


def _tree(root: type[HomogauditError]) -> dict[str, type[HomogauditError]]:
    """Return every class under `root` by its `kind`."""
    classes = {root.kind: root}
    for child in root.__subclasses__():
        classes |= _tree(child)
    return classes


def from_kind(kind: str, message: str, hint: str | None = None) -> HomogauditError:
    """Rebuild an error that crossed a process border as its `kind`."""
    return _tree(HomogauditError).get(kind, EngineError)(message, hint)


_SYSTEM_HINTS = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "your quota on this disk is used up: free some space and run the same command again",
    errno.EFBIG: "the file would be larger than `ulimit -f` or its file system allows",
    errno.EMFILE: "this process may open no more files: raise `ulimit -n`",
    errno.ENFILE: "the system may open no more files: close some programs",
    errno.ENOMEM: "memory has run out: close some programs",
    errno.EROFS: "the file system is read-only: choose a folder elsewhere",
}


def storage_error(doing: str, error: OSError, hint: str) -> StorageError:
    """Return the error of what the operating system refused.

    Args:
        doing: What could not be done and to which file, for example "cannot lock `a.audit`".
        error: Its error.
        hint: What to do about it, unless its number says more (no space, a limit of `ulimit`, memory).
    """
    reason = (error.strerror or str(error)).lower()
    return StorageError(f"{doing}: {reason}", _SYSTEM_HINTS.get(error.errno or 0, hint))


_NO_MEMORY = ("failed to map segment", "cannot allocate memory", "can't allocate memory", "can't start new thread")
"""What the loader of libraries, the system and Python say where memory has run out."""


def has_no_memory(reason: str) -> bool:
    """Whether a library's own words say that memory has run out."""
    return any(words in reason.lower() for words in _NO_MEMORY)


def machine_error(error: Exception) -> HomogauditError | None:
    """Return the error of a machine that has no more memory, files or space to give; `None` for one of another kind."""
    if isinstance(error, MemoryError) or (isinstance(error, ImportError | RuntimeError) and has_no_memory(str(error))):
        hint = "close some programs, choose a smaller model or fewer `--slots`, or raise `ulimit -v`"
        return EngineError("memory has run out", hint)
    if isinstance(error, OSError) and error.errno in _SYSTEM_HINTS:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        doing = "cannot write the output" if is_full else "cannot go on"
        return storage_error(f"cannot use `{error.filename}`" if error.filename else doing, error, "")
    return None
