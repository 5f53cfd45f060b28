"""The layouts by name, the choice of one by what a file holds, and what is said of the reading."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homogaudit.errors import RecordedFileError
from homogaudit.recordings import promptfoo, uqlm_results
from homogaudit.recordings.answers import read_answers
from homogaudit.recordings.archives import archive_names
from homogaudit.recordings.inspect_log import is_log, is_log_archive, read_log
from homogaudit.recordings.lm_eval import is_logged_sample, read_logged_samples
from homogaudit.recordings.names import ANSWER_LISTS
from homogaudit.recordings.openai_chat import is_reply, read_replies
from homogaudit.recordings.rows import holds_an_answer_a_row, read_rows
from homogaudit.recordings.source import ImportOptions, Source, object_of, open_source
from homogaudit.recordings.vllm_outputs import is_request_output, read_request_outputs
from homogaudit.recordings.whole_file import settled
from homogaudit.store.recorded import AnswerParser, Line, RecordedFile, RecordedQuestion, collect
from homogaudit.store.recorded_lines import LineError, shown


@dataclass(frozen=True, slots=True)
class Layout:
    """A way in which answers are written down.

    Attributes:
        recognises: Whether a file has it, by its first records or its document.
        read: Yields a header, where the file names its model, and a line a question.
    """

    name: str
    recognises: Callable[[Source], bool]
    read: Callable[[Source], Iterator[Line]]


@dataclass(frozen=True, slots=True)
class ReadRecording:
    """A file that was read.

    Attributes:
        summary: What it was taken for and what it holds, one line.
    """

    file: RecordedFile
    summary: str
    warnings: tuple[str, ...]


def _all(recognises: Callable[[Mapping[str, Any]], bool]) -> Callable[[Source], bool]:
    """Return a test of a file by its first records, most of which must be of the kind."""
    return lambda source: 2 * sum(map(recognises, source.records)) > len(source.records) > 0


LAYOUTS: tuple[Layout, ...] = (
    Layout("an inspect_ai log", lambda source: source.kind == "archive" or is_log(source.document), read_log),
    Layout("promptfoo results", lambda source: promptfoo.is_results(source.document), promptfoo.read_results),
    Layout("lm-evaluation-harness samples", _all(is_logged_sample), read_logged_samples),
    Layout("chat completions", _all(is_reply), read_replies),
    Layout("vLLM outputs", _all(is_request_output), read_request_outputs),
    Layout("a uqlm result", _all(uqlm_results.is_result), uqlm_results.read_results),
    Layout("one answer per row", holds_an_answer_a_row, read_rows),
    Layout("one question per record", lambda source: True, read_answers),
)
"""The surest first; the last takes what is left."""


def read_recording(
    path: Path,
    *,
    parse_answer: AnswerParser | None,
    options: ImportOptions | None = None,
) -> ReadRecording:
    """Read a file of recorded answers in any layout that is known.

    `parse_answer` tells the answer of a raw text; `None` takes the stripped text, thinking included.

    Raises:
        RecordedFileError: The file cannot be read, holds no answers, or a line of it is bad.
    """
    options = options or ImportOptions()
    source = open_source(path, options, is_archive=is_log_archive(archive_names(path)))
    if source.kind != "archive" and not source.records:
        # Its lines name what is wrong with them.
        collect(path, source.lines, parse_answer=parse_answer)
        raise RecordedFileError(f"`{path}` holds no records", "`homogaudit guide recorded` shows the format")
    _refuse_other_files(source)
    layout = next(layout for layout in LAYOUTS if layout.recognises(source))
    lines = settled(_named(layout.read(source), path), source.notes)
    file = collect(path, lines, parse_answer=parse_answer)
    _require_answers(file, source)
    name = "recorded answers" if _is_own(source) else layout.name
    return ReadRecording(
        file, f"read as {name}: {_counted(file.records)}", (*source.notes.lines(), *_missing(file.records))
    )


_OTHER_FILES: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({"custom_id", "method", "url", "body"}),
        "the input of a batch",
        "give its output, and this as `--questions`",
    ),
    (frozenset({"request_states"}), "a HELM scenario state, which is not read", "write its answers as JSON Lines"),
    (frozenset({"spec"}), "a log of OpenAI's evals, which is not read", "write its answers as JSON Lines"),
    (
        frozenset({"results", "configs", "versions"}),
        "results of lm-evaluation-harness without answers",
        "evaluate with `--log_samples`, and give the `samples_...jsonl` file",
    ),
)
"""Files that are given by mistake, or whose layout is not known: by the keys of their first record."""


def _refuse_other_files(source: Source) -> None:
    """Check that a file is none that is known to be something else."""
    keys = source.records[0].keys() if source.records else frozenset[str]()
    keys = object_of(source.document).keys() or keys
    for marks, what, hint in _OTHER_FILES:
        if marks <= keys and "response" not in keys:
            message = f"`{source.path}` is {what}"
            raise RecordedFileError(message, f"{hint}; `homogaudit guide recorded` shows the format")


def _named(lines: Iterable[Line], path: Path) -> Iterator[Line]:
    """Yield the lines; what is wrong with the file as a whole is an error of it."""
    try:
        yield from lines
    except LineError as error:
        raise RecordedFileError(f"`{path}`: {error.reason}", error.hint) from None


def _is_own(source: Source) -> bool:
    return bool(source.records) and source.records[0].get("format") == "homogaudit.recorded"


def _require_answers(file: RecordedFile, source: Source) -> None:
    """Check that there is something to audit."""
    has_signals = any(x.label is not None and x.signals for x in file.records)
    draws = [draw for x in file.records for draw in (*x.samples, *([x.greedy] if x.greedy else ()))]
    # What this project has exported comes back as it was drawn.
    if has_signals or any(draw.text.strip() for draw in draws) or (draws and _is_own(source)):
        return
    if draws:
        raise RecordedFileError(
            f"`{file.path}` holds no answers: all {len(draws):,} that it lists are empty",
            "check whether another column holds them, and name it with `--answer-column NAME`",
        )
    names = [name for name in source.columns() if name not in ("format", "version")]
    columns = ", ".join(map(shown, names[:12])) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    known = ", ".join(f"`{name}`" for name in ANSWER_LISTS[:5])
    labelled = any(x.label is not None for x in file.records)
    reason = "labels without answers need signals" if labelled else "no column looks like answers"
    raise RecordedFileError(
        f"`{file.path}` holds no answers: {reason}; its columns are {columns}",
        f"answers stand under {known} or the like, or are named with `--answer-column NAME`; a file of questions is "
        f"asked with `homogaudit run MODEL {file.path.name}`; `homogaudit guide recorded` shows the format",
    )


def _counted(records: tuple[RecordedQuestion, ...]) -> str:
    """Return how many questions, samples and greedy answers there are, in words."""
    counts = Counter(len(record.samples) for record in records)
    low, high = min(counts), max(counts)
    each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    samples = "no samples" if high == 0 else f"{each} sample{'' if high == 1 else 's'} each"
    greedy = sum(record.greedy is not None for record in records)
    greedy_words = "none" if not greedy else "all" if greedy == len(records) else f"{greedy:,}"
    labels = sum(record.label is not None for record in records)
    labelled = f", {labels:,} label{'' if labels == 1 else 's'}" if labels else ""
    questions = f"{len(records):,} question{'' if len(records) == 1 else 's'}"
    return f"{questions}, {samples}, greedy {greedy_words}{labelled}"


def _missing(records: tuple[RecordedQuestion, ...]) -> list[str]:
    """Return what some records lack that others have."""
    most = max(len(record.samples) for record in records)
    bare = sum(record.greedy is None and not record.samples for record in records)
    short = sum(len(record.samples) < most for record in records) - (bare if most else 0)
    found: list[str] = []
    if 0 < bare < len(records):
        found.append(f"{bare:,} of {len(records):,} questions {'has' if bare == 1 else 'have'} no answer")
    if short:
        verbs = ("has", "enters") if short == 1 else ("have", "enter")
        of_most = f"{verbs[0]} fewer than {most} samples" if most > 1 else f"{verbs[0]} no sample"
        found.append(f"{short:,} of {len(records):,} questions {of_most} and {verbs[1]} nothing")
    return found
