"""What a list of runs says of one run file, whatever state it is in. Computes no figure."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from homogaudit.errors import HomogauditError
from homogaudit.launch.run_paths import SUFFIX

__all__ = ["RunSummary", "bytes_on_disk", "summarize"]

_STATUS_WORDS = {
    "complete": "complete",
    "unfinished": "unfinished",
    "newer_schema": "newer schema",
    "not_readable": "not readable",
}


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

    @property
    def status_words(self) -> str:
        """The status as people read it."""
        return f"in use by {self.pid}" if self.status == "in_use" else _STATUS_WORDS[self.status]


def summarize(path: Path) -> RunSummary:
    """Return what the list says of one run file, whatever state it is in."""
    from homogaudit.store.run_file import RunFile
    from homogaudit.store.run_lock import lock_owner
    from homogaudit.store.run_schema import SCHEMA_VERSION, schema_version

    pid = lock_owner(path)
    version = schema_version(path)
    model = created = questions = done = samples = location = None
    status = "not_readable"
    if version is not None and version > SCHEMA_VERSION:
        status = "newer_schema"
    elif version is not None:
        # A file of another writer can hold anything, also values that are no JSON.
        with suppress(HomogauditError, ValueError, TypeError), RunFile.open(path) as run:
            model, created, location = run.model, run.created, run.model_source.location
            is_complete = run.status == "complete"
            counts = run.draw_counts()
            drawn = max((count.samples for count in counts.values()), default=0)
            decoding = run.parameters.get("decoding")
            planned = decoding.get("samples") if isinstance(decoding, dict) else None
            samples = planned if isinstance(planned, int) else drawn
            greedy = any(count.greedy for count in counts.values())
            questions = len(counts)
            done = sum(is_complete or (x.samples >= samples and (x.greedy or not greedy)) for x in counts.values())
            if not drawn and not greedy:
                done = 0
            status = "complete" if is_complete else "unfinished"
    return RunSummary(
        name=path.name.removesuffix(SUFFIX),
        path=str(path),
        model=model,
        questions=questions,
        questions_done=done,
        samples=samples,
        status="in_use" if pid is not None else status,
        pid=pid,
        created=created,
        bytes=bytes_on_disk(path),
        location=location,
    )


def bytes_on_disk(path: Path) -> int:
    """Return the size of a run file with the log of what is being written."""
    total = 0
    for part in (path, path.with_name(path.name + "-wal")):
        with suppress(OSError):
            total += part.stat().st_size
    return total
