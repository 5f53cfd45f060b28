"""Recorded generations, in and out: JSON Lines that anyone can write, read into a run file and written from one.

It knows files and run files; what one line may hold is `recorded_lines`' business, and how an answer is told from its
thinking the caller's. The files are somebody else's: every line is checked before anything is kept.
"""

import base64
import contextlib
import json
import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import RecordedFileError
from homogaudit.records import ClusteringMethod, Generation, Label, ModelCall, SignalValue
from homogaudit.store.derived import square
from homogaudit.store.drafts import remove_run
from homogaudit.store.facts import EmbedderUsed, RecordedFacts
from homogaudit.store.provenance import provenance, public_name
from homogaudit.store.recorded_lines import (
    ARRAY_KEYS,
    FORMAT,
    HEADER_KEYS,
    QUESTION_KEYS,
    UNTIL_DECIDED,
    VECTOR_PREFIX,
    VERSION,
    AnswerParser,
    LineError,
    RecordedQuestion,
    question_line,
    read_header,
    read_object,
    read_question,
    shown,
)
from homogaudit.store.redaction import prompting_without_texts, without_texts
from homogaudit.store.run_file import RunFile
from homogaudit.store.run_lock import RunLock
from homogaudit.store.until_decided import UntilDecided

RECORDED_JUDGE = "recorded"
"""The judge that labels of a file stand under."""

RECORDED_PREFIX = "recorded:"
"""Put before the name of a recorded signal that is also the name of one that this project computes."""

REDACTED = "redacted"
"""In the header of a file without texts: the clustering that its answers are called after."""

_UNSAFE_IN_TERMINALS = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control and direction characters that `json` leaves as they are when it writes text unescaped."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A recorded file whose every line was found good.

    Attributes:
        decoding: As recorded; nothing is assumed about its keys.
        directions: -1 for signals where lower is more uncertain.
        embedder: What the header says of the embedder that made the embeddings.
        header_extra: Keys of the header that the format does not know.
        until_decided: When the run that they are of was to stop before its whole file was drawn.
        keeps_thinking: Whether the raw text was taken as the answer.
    """

    path: Path
    model: str | None
    decoding: Mapping[str, Any]
    directions: Mapping[str, int]
    embedder: Mapping[str, Any]
    header_extra: Mapping[str, Any]
    records: tuple[RecordedQuestion, ...]
    keeps_thinking: bool
    until_decided: UntilDecided | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """What stands at one place of a file.

    Attributes:
        place: As error lines name it, such as `line 3`.
        read: Returns the object of the format, a header or a question; raises `LineError`.
    """

    place: str
    read: Callable[[], Mapping[str, Any]]


# Reading


def read_recorded(path: Path, *, parse_answer: AnswerParser | None) -> RecordedFile:
    """Read a file of recorded generations, JSON Lines, and check every line of it."""
    lines = (Line(f"line {number}", partial(read_object, line)) for number, line in lines_of(path))
    return collect(path, lines, parse_answer=parse_answer)


def collect(path: Path, lines: Iterable[Line], *, parse_answer: AnswerParser | None) -> RecordedFile:
    """Return the checked records of a file, each line read when its turn comes.

    A question without an id gets `q-` and 12 hexadecimal digits of its text's SHA-256. Token arrays are taken as
    recorded over the tokens of the answer, even where the text holds thinking, unless an `answer_mask` is given.
    Entropies below 0 and log-probabilities above it by no more than rounding count as 0.

    A header stands first. `parse_answer` tells the answer of a raw text; `None` takes the stripped text, thinking
    included.

    Raises:
        RecordedFileError: The file cannot be read, or a line is bad; the message names the first one.
    """
    header: dict[str, Any] = {}
    records: list[RecordedQuestion] = []
    places: dict[str, str] = {}
    first_error: RecordedFileError | None = None
    errors = 0
    is_first = True
    for line in lines:
        try:
            value = line.read()
            if "format" in value and "question" not in value:
                header = read_header(value, is_first)
            else:
                record = read_question(value, parse_answer)
                first = places.setdefault(record.question.id, line.place)
                if first != line.place:
                    where = f"{shown(record.question.id)} is already on {first}"
                    raise LineError(f"the id {where}", "give each question once, with an `id` of its own")
                records.append(record)
        except LineError as error:
            errors += 1
            message = f"`{path}` {line.place}: {error.reason}"
            first_error = first_error or RecordedFileError(message, error.hint)
        is_first = False
    if first_error is not None:
        more = f" (and {errors - 1} more bad lines)" if errors > 2 else " (and 1 more bad line)" if errors > 1 else ""
        raise RecordedFileError(first_error.message + more, first_error.hint)
    if len({len(vector) for record in records for vector in record.embeddings.values()}) > 1:
        raise RecordedFileError(f"`{path}` holds embeddings of different lengths", "take all from one embedder")
    if not records:
        raise RecordedFileError(f"`{path}` holds no questions", 'give a line `{"question": "..."}` for each')
    return RecordedFile(
        path=path,
        model=header.get("model"),
        decoding=header.get("decoding") or {},
        directions=header.get("directions") or {},
        embedder=header.get("embedder") or {},
        header_extra={key: value for key, value in header.items() if key not in HEADER_KEYS},
        records=tuple(records),
        keeps_thinking=parse_answer is None,
        until_decided=UntilDecided.of_parameters(header),
    )


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers, a byte-order mark dropped."""
    with opened(path) as file:
        yield from numbered_lines(file)


@contextlib.contextmanager
def opened(path: Path) -> Generator[BinaryIO]:
    """Open a file of recorded answers.

    Raises:
        RecordedFileError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise RecordedFileError(f"no file at `{path}`", "check the path") from None
    except IsADirectoryError:
        raise RecordedFileError(f"`{path}` is a folder", "name a file of recorded answers") from None
    except OSError as error:
        raise RecordedFileError(f"cannot read `{path}`: {error.strerror}", "check its permissions") from error


def numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of an open file that are not blank, with their numbers, a byte-order mark dropped."""
    for number, line in enumerate(file, start=1):
        content = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
        if content:
            yield number, content


# Into a run file


def write_run(
    recorded: RecordedFile,
    path: Path,
    *,
    own_signals: Collection[str] = (),
    model: str | None = None,
    warnings: Sequence[str] = (),
    think_markers: Sequence[str] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> RunFile:
    """Write a run file that holds what was recorded; scoring it is what completes it.

    A recorded signal whose name is one of `own_signals`, which the project computes, is stored as `recorded:NAME`;
    `model` stands before the name in the header. `warnings` are kept for the report, and `warn` is told of what an
    earlier run of this name has left beside it.

    Returns:
        The run, open for writing, its status `started`. The fact `recorded` keeps what the tables have no place for.

    Raises:
        RunFileError: `path` exists or is in use.
        StorageError: It cannot be written; nothing is left behind.
    """
    names = {name for record in recorded.records for name in record.signals} | recorded.directions.keys()
    stored = {name: RECORDED_PREFIX + name if name in own_signals else name for name in sorted(names)}
    parameters = {
        "recorded": True,
        "decoding": recorded.decoding,
        "samples": max(len(record.samples) for record in recorded.records),
        "keep_thinking": recorded.keeps_thinking,
        **({} if recorded.until_decided is None else {UNTIL_DECIDED: recorded.until_decided.as_parameter()}),
        **({} if think_markers is None else {"think_markers": list(think_markers)}),
    }
    run = RunFile.create(
        path,
        model=model or recorded.model or recorded.path.stem,
        question_source=recorded.path.name,
        questions=[record.question for record in recorded.records],
        parameters=parameters,
        directions={stored[name]: direction for name, direction in recorded.directions.items()},
        warn=warn,
    )
    try:
        with RunLock(path), run.transaction():
            for record in recorded.records:
                if record.greedy is not None:
                    run.add_generation(record.greedy)
                for sample in record.samples:
                    run.add_generation(sample)
                identifier = record.question.id
                if record.label is not None:
                    run.add_labels([Label(identifier, RECORDED_JUDGE, record.label, "came with the file")])
                run.add_signals(SignalValue(identifier, stored[name], value) for name, value in record.signals.items())
                run.add_calls(record.calls)
            _add_embeddings(run, recorded)
            extra = {
                record.question.id: {str(index): value for index, value in record.generation_extra.items()}
                for record in recorded.records
                if record.generation_extra
            }
            run.recorded = RecordedFacts(recorded.header_extra, stored, extra, tuple(warnings))
            run.given_answers = {x.question.id: list(x.given_answers) for x in recorded.records if x.given_answers}
    except BaseException:
        run.close()
        remove_run(path)
        raise
    return run


def _add_embeddings(run: RunFile, recorded: RecordedFile) -> None:
    vectors = {text: vector for record in recorded.records for text, vector in record.embeddings.items()}
    if vectors:
        name = recorded.embedder.get("name") or RECORDED_JUDGE
        key = recorded.embedder.get("key") or name
        run.add_embeddings(key, vectors)
        named = recorded.embedder.get("meaning")
        meaning = named if isinstance(named, str) else None
        for record in recorded.records:
            texts = sorted({sample.answer for sample in record.samples if sample.is_valid})
            if meaning and record.meaning is not None and len(record.meaning) == len(texts) * (len(texts) - 1) // 2:
                run.add_similarities(meaning, record.question.text, texts, square(record.meaning, len(texts)))
        threshold = recorded.embedder.get("calibrated_threshold")
        run.embedders = {key: EmbedderUsed(name, threshold, meaning)}


# Out of a run file


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What is written beside questions and answers.

    Attributes:
        judge: Whose labels to write; `None` for none.
        computed_signals: Whether to add the signals that the project computed, oriented so that higher is more
            uncertain, except where one was recorded under the same name.
        digits: Significant digits of token arrays; `None` for as many as give them back.
        model: The model's name; `None` for that of the run.
        redact: Whether to leave out what tells of the machine, and every key that the format does not know.
        texts: Whether to write questions, answers and references; without them the machine is left out as well.
        clustering: What answers without texts are called after; `None` for their wording.
    """

    judge: str | None = None
    computed_signals: bool = False
    embeddings: bool = False
    digits: int | None = None
    model: str | None = None
    redact: bool = False
    texts: bool = True
    clustering: ClusteringMethod | None = None


def export_run(
    run: RunFile, stream: TextIO, *, parse_answer: AnswerParser, options: ExportOptions | None = None
) -> int:
    """Write a run as recorded generations: a header, then a line a question; return the number of questions.

    Of a run for the rate alone only the audited questions are written, for a reader knows nothing of its first looks.

    Reading the result with the same `parse_answer` gives the same questions, texts, answers, arrays, labels and
    recorded signals. An answer is written only where reading its text again would give another one.
    """
    options = options or ExportOptions()
    if not options.texts:
        options = replace(options, redact=True, embeddings=False)
    clusters = {} if options.texts or options.clustering is None else run.clusterings(options.clustering)
    facts = RecordedFacts(signals=run.recorded.signals) if options.redact else run.recorded
    original = {stored: name for name, stored in facts.signals.items()}
    labels = run.labels(options.judge) if options.judge is not None else {}
    calls = run.calls()
    embedder = run.scoring.embedder_source if run.scoring and options.embeddings else None
    methods = run.scoring.methods if run.scoring else ()
    meaning = next((x.embedder for x in methods if x.similarity == "meaning" and not x.asked), None)
    signals: dict[str, dict[str, float]] = {}
    taken = set(original.values())
    for stored, values in run.signals().items():
        if stored in original:
            name = original[stored]
        elif options.computed_signals and stored not in taken:
            name = stored
        else:
            continue
        for question_id, value in values.items():
            if value.value is not None:
                signals.setdefault(question_id, {})[name] = value.value
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "model": options.model or (public_name(run.model) if options.redact else run.model),
        "decoding": run.parameters.get("decoding", {}),
        "directions": {original.get(name, name): value for name, value in run.directions.items()},
    }
    rule = UntilDecided.of_parameters(run.parameters)
    # After `--continue` it is like any other, once it has its whole file.
    if rule is not None and not (run.continued and run.progress().drawn == len(run)):
        header[UNTIL_DECIDED] = rule.as_parameter()
    if embedder is not None:
        used = {
            "name": embedder.name,
            "key": embedder.key,
            "calibrated_threshold": embedder.calibrated_threshold,
            "meaning": meaning,
        }
        header["embedder"] = {key: value for key, value in used.items() if value is not None}
    if not run.is_recorded:
        header["provenance"] = provenance(run, redact=options.redact)
    if not options.texts:
        header[REDACTED] = options.clustering.name if options.clustering else "wording"
        if "provenance" in header:
            asked = header["provenance"].get("prompting") or {}
            header["provenance"]["prompting"] = prompting_without_texts(asked)
    _write_line(stream, {**header, **facts.header})
    kept = run.audited_alone()
    for stored_draws in run.sample_sets(kept):
        draws = stored_draws
        if not options.texts:
            found = clusters.get(draws.question.id)
            draws = without_texts(draws, found.assignment if found else None)
        question = draws.question
        extra = facts.generation_extra.get(question.id, {})
        line = question_line(question)
        answers = [draws.greedy] if draws.greedy is not None else []
        answers += draws.samples
        written = [_exported(answer, extra, parse_answer, options.digits) for answer in answers]
        if embedder is not None:
            vectors = run.embeddings(embedder.key, [question.text, *(answer.answer for answer in answers)])
            # A text has one vector, which stands at its first answer.
            for text, holder in [(question.text, line), *zip([x.answer for x in answers], written, strict=True)]:
                if (vector := vectors.pop(text, None)) is not None:
                    holder["embedding"] = _packed(vector)
            texts = sorted({answer.answer for answer in draws.valid_samples})
            similar = run.similarities(meaning, question.text, texts) if meaning and len(texts) > 1 else None
            if similar is not None:
                line["meaning"] = _packed(similar[np.triu_indices(len(texts), 1)])
        if draws.greedy is not None:
            line["greedy"] = written.pop(0)
        if written:
            line["samples"] = written
        if question.id in calls:
            line["calls"] = {kind: _told(call, texts=options.texts) for kind, call in calls[question.id].items()}
        if question.id in labels:
            line["label"] = labels[question.id].value.value
        if question.id in signals:
            line["signals"] = signals[question.id]
        taken = QUESTION_KEYS | line.keys() | (question.extra.keys() if options.redact else set())
        _write_line(stream, line | {key: value for key, value in question.extra.items() if key not in taken})
    return len(run) if kept is None else len(kept)


def _packed(numbers: NDArray[np.floating]) -> str:
    """Return numbers as the format writes them."""
    return VECTOR_PREFIX + base64.b64encode(numbers.astype("<f2").tobytes()).decode()


def _told(call: ModelCall, *, texts: bool) -> dict[str, Any]:
    """Return what the model said of its own answer as the format writes it."""
    keys = ("value", "reason", "text", "tokens", "seconds") if texts else ("value", "tokens", "seconds")
    values = {key: getattr(call, key) for key in keys}
    return {key: value for key, value in values.items() if key == "value" or value}


def _exported(
    generation: Generation, extra: Mapping[str, Any], parse_answer: AnswerParser, digits: int | None
) -> dict[str, Any]:
    statistics = generation.statistics
    parsed = parse_answer(generation.text)
    is_given_by_text = (parsed.answer, parsed.state) == (generation.answer, generation.state)
    values = {
        "text": generation.text,
        "answer": None if is_given_by_text else generation.answer,
        "state": None if is_given_by_text else generation.state.value,
        "finish_reason": generation.finish_reason,
        "token_ids": _list(statistics.token_ids),
        "token_entropies": _list(statistics.entropies, digits),
        "token_logprobs": _list(statistics.logprobs, digits),
        "token_logits": _list(statistics.logits, digits),
        "answer_mask": _list(statistics.answer_mask),
        "tokens": generation.tokens,
        "seconds": generation.seconds,
    }
    if any(values[key] is not None for key in ARRAY_KEYS):
        # Their length says it.
        values["tokens"] = None
    return {key: value for key, value in values.items() if value is not None} | extra.get(
        str(generation.sample_index), {}
    )


def _list(array: NDArray[Any] | None, digits: int | None = None) -> list[Any] | None:
    """Return the values of an array, to so many significant digits; a float32 with the fewest that give it back."""
    if array is None:
        return None
    if digits is not None:
        return [float(f"{value:.{digits}g}") for value in array.tolist()]
    if array.dtype == np.float32:
        return [float(text) for text in array.astype(str)]
    return array.tolist()


def _write_line(stream: TextIO, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    stream.write(_UNSAFE_IN_TERMINALS.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")
