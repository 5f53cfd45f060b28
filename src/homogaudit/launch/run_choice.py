"""Which run file a request means: the unfinished one that the same command began, or a new one."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from homogaudit.config import ResolvedGenerator
from homogaudit.errors import HomogauditError, UsageError
from homogaudit.generation.fingerprint import file_sha256
from homogaudit.launch.earlier_run import READER, earlier_questions
from homogaudit.launch.run_paths import list_runs
from homogaudit.questions import QuestionFile
from homogaudit.records import Question
from homogaudit.store import ModelSource, RunFile, RunState
from homogaudit.store.journals import missing_journal
from homogaudit.store.run_facts import differences
from homogaudit.store.run_lock import lock_owner
from homogaudit.store.shards import Shards


@dataclass(frozen=True, slots=True)
class SameRun:
    """What tells a run that the same command began."""

    question_file: QuestionFile
    parameters: dict[str, Any]
    shards: Shards
    continues: bool = False
    """Whether one that was decided early, or is for the rate alone, counts as unfinished."""

    def earlier(self, path: Path | None) -> list[Question] | None:
        """Return the questions of a run file that an earlier version began; `None` where it is none."""
        if path is None or not path.is_file():
            return None
        with RunFile.open(path) as stored:
            if not list(differences(stored.parameters, json.loads(json.dumps(self.parameters)))):
                return None
        return earlier_questions(path, self.question_file, self.parameters, self.shards)

    def is_in(self, path: Path) -> bool:
        """Whether a run file is the one that the command began."""
        with RunFile.open(path) as stored:
            found = differences(stored.parameters, json.loads(json.dumps(self.parameters)))
            return next(found, None) is None or self.earlier(path) is not None

    def unfinished(self, runs: Path) -> Path | None:
        """Return the newest unfinished run of a folder that the same command began."""
        for path in list_runs(runs):
            try:
                with RunFile.open(path) as stored:
                    is_over = stored.status == "complete"
                    if is_over and self.continues:
                        is_over = stored.progress().state not in (RunState.DECIDED_EARLY, RunState.RATE_ONLY)
                if not is_over and self.is_in(path):
                    return path
            except HomogauditError:
                continue
        return None


def create_or_check(
    path: Path,
    generator: ResolvedGenerator,
    question_file: QuestionFile,
    questions: Sequence[Question],
    parameters: dict[str, Any] | None,
    warn: Callable[[str], None],
    *,
    hash_model: bool,
) -> None:
    """Create the run file, or check that the one that is there has these parameters; `None` where that is known."""
    if path.is_dir():
        raise UsageError(f"`{path}` is a folder", f"name a file in it, for example `{path / 'demo.audit'}`")
    if path.parent.exists() and not path.parent.is_dir():
        raise UsageError(f"`{path.parent}` is not a folder", "choose another file with `-o`")
    if path.exists():
        if line := missing_journal(path):
            warn(line)
        if parameters is not None:
            with RunFile.open(path) as existing:
                existing.require_parameters(parameters)
        return
    with RunFile.create(
        path,
        model=generator.name,
        question_source=question_file.name,
        questions=questions,
        parameters=parameters or {},
        warn=warn,
    ) as created:
        source = ModelSource(
            location=generator.location, sha256=file_sha256(Path(generator.location)) if hash_model else None
        )
        if (entry := generator.entry) is not None:
            source = replace(
                source,
                stage=entry.stage,
                family=entry.family,
                training_cutoff=entry.training_cutoff,
                context_length=entry.context_length,
                price_per_million_tokens=entry.price_per_million_tokens,
            )
        created.note_model_entry(source)
        created.duplicates = len(question_file.duplicates)
        created.reader = READER
        created.question_cut = question_file.cut


def remove_if_empty(path: Path) -> None:
    """Remove a run in which nothing was ever drawn, for example because its model does not load."""
    if lock_owner(path) is not None:
        # Another process has just begun to draw into it.
        return
    with RunFile.open(path) as stored:
        is_empty = stored.progress().state is RunState.WAITING
    if is_empty:
        for suffix in ("-wal", "-shm", "", ".lock"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
