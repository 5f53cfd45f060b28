"""The exception tree: exit codes, kinds, and the way across a process border."""

import errno
import pickle

import pytest

from homogaudit import errors
from homogaudit.errors import ContextTooShortError, EngineError, HomogauditError, ModelError, UsageError, from_kind

# Exit codes: 1 a gate, 2 usage or configuration, 3 the model or engine, 4 incomplete, 130 interrupted.
TREE = {
    "HomogauditError": (3, "error", "Exception"),
    "UsageError": (2, "usage", "HomogauditError"),
    "ConfigError": (2, "config", "UsageError"),
    "QuestionFileError": (2, "questions", "UsageError"),
    "RecordedFileError": (2, "recorded", "UsageError"),
    "RunFileError": (2, "run_file", "UsageError"),
    "ParametersDifferError": (2, "parameters", "UsageError"),
    "ModelError": (3, "model", "HomogauditError"),
    "ContextTooShortError": (3, "context", "ModelError"),
    "EngineError": (3, "engine", "HomogauditError"),
    "EmbedderError": (3, "embedder", "HomogauditError"),
    "StorageError": (3, "storage", "HomogauditError"),
    "IncompleteRunError": (4, "incomplete", "HomogauditError"),
    "GateFailedError": (1, "gate", "HomogauditError"),
    "InterruptedRunError": (130, "interrupted", "HomogauditError"),
    "UndefinedStatisticError": (2, "undefined", "HomogauditError"),
}


def classes(root: type[HomogauditError] = HomogauditError) -> list[type[HomogauditError]]:
    return [root, *(found for child in root.__subclasses__() for found in classes(child))]


def test_the_tree_is_the_one_that_is_documented():
    assert {c.__name__: (c.exit_code, c.kind, c.__bases__[0].__name__) for c in classes()} == TREE
    assert all(f"{c.__name__} " in (errors.__doc__ or "") for c in classes())
    assert {*TREE, "from_kind", "has_no_memory", "machine_error", "storage_error"} == set(errors.__all__)


def test_kinds_are_unique():
    kinds = [c.kind for c in classes()]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("error", classes())
def test_an_error_is_rebuilt_from_its_kind(error: type[HomogauditError]):
    rebuilt = from_kind(error.kind, "a `b`", "c")
    assert type(rebuilt) is error
    assert (rebuilt.message, rebuilt.hint, str(rebuilt)) == ("a `b`", "c", "a `b`")


def test_an_unknown_kind_is_an_engine_error():
    assert type(from_kind("of a newer version", "x")) is EngineError


@pytest.mark.parametrize("error", classes())
@pytest.mark.parametrize("hint", ["h", None])
def test_an_error_can_be_pickled(error: type[HomogauditError], hint: str | None):
    copy = pickle.loads(pickle.dumps(error("m", hint)))
    assert (type(copy), copy.message, copy.hint) == (error, "m", hint)


def test_a_branch_can_be_caught_as_one():
    with pytest.raises(ModelError):
        raise ContextTooShortError("too long")
    with pytest.raises(UsageError):
        raise errors.ParametersDifferError("other")


@pytest.mark.parametrize(
    ("error", "message", "kind"),
    [
        (MemoryError(), "memory has run out", "engine"),
        (ImportError("libopenblas.so: failed to map segment from shared object"), "memory has run out", "engine"),
        (RuntimeError("can't start new thread"), "memory has run out", "engine"),
        (OSError(errno.EMFILE, "Too many open files"), "cannot go on: too many open files", "storage"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "cannot go on: cannot allocate memory", "storage"),
        (OSError(errno.ENOSPC, "No space left", "a.html"), "cannot use `a.html`: no space left", "storage"),
        (OSError(errno.ENOSPC, "No space left"), "cannot write the output: no space left", "storage"),
    ],
)
def test_what_the_machine_has_no_more_of_is_told_with_a_hint_of_its_own(error: Exception, message: str, kind: str):
    found = errors.machine_error(error)
    assert found is not None
    assert (found.message, found.kind, found.exit_code) == (message, kind, 3)
    assert found.hint


@pytest.mark.parametrize("error", [KeyError("a"), ImportError("no module named `a`"), OSError(errno.EIO, "I/O error")])
def test_no_other_error_is_blamed_on_the_machine(error: Exception):
    assert errors.machine_error(error) is None
