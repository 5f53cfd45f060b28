"""The run that ships with the project, rebuilt from its recorded answers without a model and without a network."""

from hashlib import sha256
from pathlib import Path

from homogaudit import __version__
from homogaudit.config import resource
from homogaudit.errors import UsageError
from homogaudit.report.verdict import EXAMPLE


def example_file() -> Path:
    """Return the packaged file of recorded answers."""
    return resource("samples") / "example.jsonl.gz"


def example_run(instead_of: str | None = None) -> Path:
    """Return the run file of the example; made in the cache folder, in seconds, where it is not there yet.

    Args:
        instead_of: A run that was named beside it.

    Raises:
        UsageError: A run was.
        HomogauditError: It cannot be made.
    """
    if instead_of is not None:
        raise UsageError(f"`--example` takes the place of the run `{instead_of}`", "give one of them")
    from platformdirs import user_cache_path

    file = example_file()
    # Scored anew by every version, because it is the version's own report that the example shows.
    digest = sha256(file.read_bytes() + __version__.encode()).hexdigest()[:8]
    path = user_cache_path("homogaudit", appauthor=False) / digest / f"{EXAMPLE}.audit"
    if path.exists():
        return path
    from homogaudit.launch.requests import ScoreRequest
    from homogaudit.launch.score import plan_score
    from homogaudit.launch.work import work
    from homogaudit.questions.thinking import split_thinking
    from homogaudit.recordings import read_recording
    from homogaudit.records import Prompting
    from homogaudit.store.drafts import draft_of, remove_run
    from homogaudit.store.recorded import write_run

    recorded = read_recording(file, parse_answer=lambda text: split_thinking(text, Prompting(), False)).file
    # Whoever asks for it meanwhile gets a whole one or makes another.
    draft = draft_of(path)
    try:
        write_run(recorded, draft).close()
        work(plan_score(ScoreRequest(draft, judge="auto"), lambda _: None).job)
        draft.replace(path)
    finally:
        remove_run(draft)
    return path
