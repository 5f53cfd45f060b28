"""What a list of runs says of one run file, whatever state it is in. Computes no figure."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from homogaudit.errors import HomogauditError
from homogaudit.launch.run_paths import SUFFIX

if TYPE_CHECKING:
    from homogaudit.store import RunState


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What the list says of one run; `None` where it cannot be read.

    Attributes:
        questions_done: Questions all of whose draws are stored.
        samples: N, the samples a question.
        status: `complete`, `unfinished`, `in_use`, `newer_schema` or `not_readable`.
        pid: The process that is writing it.
        created: ISO 8601, UTC.
        bytes: On the disk, with the log of what is being written.
        location: Path of the model's file when the run was made.
        state: How far it is, whoever is at work on it.
        questions_scored: Questions that are scored as the run was last asked to.
    """

    name: str
    path: str
    model: str | None
    questions: int | None
    questions_done: int | None
    samples: int | None
    status: str
    pid: int | None
    created: str | None
    bytes: int
    location: str | None = None
    state: "RunState | None" = None
    questions_scored: int | None = None
    question_source: str | None = None

    @property
    def status_words(self) -> str:
        """The status as people read it."""
        if self.status == "in_use":
            return f"in use by {self.pid}"
        return self.state or self.status.replace("_", " ")


def summarize(path: Path) -> RunSummary:
    """Return what the list says of one run file, whatever state it is in."""
    from homogaudit.store.run_file import RunFile
    from homogaudit.store.run_lock import lock_owner
    from homogaudit.store.run_schema import SCHEMA_VERSION, schema_version

    pid = lock_owner(path)
    version = schema_version(path)
    model = created = progress = location = source = None
    status = "not_readable"
    if version is not None and version > SCHEMA_VERSION:
        status = "newer_schema"
    elif version is not None:
        # A file of another writer can hold anything, also values that are no JSON.
        with suppress(HomogauditError, ValueError, TypeError), RunFile.open(path) as run:
            model, created, location = run.model, run.created, run.model_source.location
            source = run.question_source
            progress = run.progress()
            status = "complete" if run.status == "complete" else "unfinished"
    return RunSummary(
        name=path.name.removesuffix(SUFFIX),
        path=str(path),
        model=model,
        questions=progress and progress.questions,
        questions_done=progress and progress.drawn,
        samples=progress and progress.samples,
        status="in_use" if pid is not None else status,
        pid=pid,
        created=created,
        bytes=bytes_on_disk(path),
        location=location,
        state=progress and progress.state,
        questions_scored=progress and progress.scored,
        question_source=source,
    )


def bytes_on_disk(path: Path) -> int:
    """Return the size of a run file with the log of what is being written."""
    total = 0
    file = path.resolve()
    for part in (file, file.with_name(file.name + "-wal")):
        with suppress(OSError):
            total += part.stat().st_size
    return total
