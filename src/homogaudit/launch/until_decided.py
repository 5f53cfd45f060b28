"""What a run that stops as soon as it is decided needs, and what goes on after it."""

from pathlib import Path

from homogaudit.clustering.methods import primary_of
from homogaudit.errors import RunFileError, UsageError
from homogaudit.events import Scoring
from homogaudit.launch.embedder_choice import is_large
from homogaudit.launch.requests import RunRequest
from homogaudit.store import RunFile
from homogaudit.store.run_lock import RunLock
from homogaudit.store.until_decided import UntilDecided

_WITHOUT = "draw the whole file with `--no-until-decided`"


def stopping_rule(request: RunRequest) -> UntilDecided | None:
    """Return when a run is to stop before its whole file is drawn; `None` where it is not.

    Raises:
        UsageError: Something else that is asked for does not go with it.
    """
    if not request.until_decided and not request.continues:
        return None
    check_is_whole(request, "--until-decided", _WITHOUT)
    if request.max_scr is not None and not 0 < request.max_scr < 1:
        raise UsageError(
            f"`--max-scr` is `{request.max_scr:g}`, and no number of questions decides on that",
            "with `--until-decided` it lies between 0 and 1",
        )
    return UntilDecided(request.max_scr, request.seed)


def check_is_whole(request: RunRequest, flag: str, without: str) -> None:
    """Check that a run looks at its clusters while it draws, and draws of all questions.

    Args:
        request: The rest of what is asked for.
        flag: What needs that.
        without: What to do else.

    Raises:
        UsageError: It does not.
    """
    if request.shard is not None:
        raise UsageError(f"`{flag}` needs all questions, and `--shard` takes a share of them", without)
    if request.defer_embedding:
        raise UsageError(
            f"`{flag}` looks at the clusters while it draws, and `--defer-embedding` makes them after", without
        )


def check_is_live(scoring: Scoring, flag: str = "--until-decided", without: str = _WITHOUT) -> None:
    """Check that the clustering that decides is made while answers are drawn.

    Raises:
        UsageError: It is not.
    """
    if scoring.meaning_source is not None and primary_of(x.similarity for x in scoring.methods) == "meaning":
        raise UsageError(
            f"`{flag}` looks at the clusters while it draws, and `--meaning` asks its model after", without
        )
    if is_large(scoring.embedder_source):
        raise UsageError(
            f"`{flag}` looks at the clusters while it draws, and an embedder of over 1 GB waits until after",
            "choose a smaller `--embedder`",
        )


def continue_early(path: Path) -> None:
    """Make a run that stops early, or has questions that do, one whose whole file is drawn.

    Raises:
        RunFileError: It is none, or another process is at work on it.
    """
    with RunLock(path), RunFile.open(path, writable=True) as run:
        rate_rule = run.rate_rule
        if rate_rule is None and UntilDecided.of_parameters(run.parameters) is None:
            raise RunFileError(f"`{path}` is no run that stops early", "run its command again to continue")
        with run.transaction():
            if rate_rule is not None:
                # Their signals are not computed, and of most the samples were not all drawn.
                ids = [question.id for question in run.questions()]
                run.forget_scorings(set(ids) - rate_rule.audited(ids))
            run.continued = True
            run.status = "started"
            # Made of the questions drawn by then.
            run.run_signals = run.diversity_of = None
