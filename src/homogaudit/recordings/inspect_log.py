"""Logs of inspect_ai: `.json`, or `.eval`, a zip archive with a file a sample; epochs are samples of one question."""

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from homogaudit.codec import finite
from homogaudit.errors import RecordedFileError
from homogaudit.recordings.archives import archive_names
from homogaudit.recordings.draws import content_text, label_of, temperature_of
from homogaudit.recordings.grouping import Drawn, grouped
from homogaudit.recordings.openai_chat import draws_of_reply
from homogaudit.recordings.question_fields import QuestionFields, request_question
from homogaudit.recordings.source import Notes, Source, items_of, object_of, text_of
from homogaudit.records import LabelValue
from homogaudit.store.recorded import Line
from homogaudit.store.recorded_lines import LineError, shown

_MAX_MEMBER = 1 << 28
"""Bytes of one unpacked sample: far beyond any, and a bound for an archive that was made to fill the memory."""

_ZSTANDARD = 93
"""The method of APPNOTE 6.3.7, which `zipfile` does not read before Python 3.14."""


_WITH_SAMPLES = "evaluate again with samples logged (`--log-samples`), and give that log"


def is_log(document: object) -> bool:
    """Whether a JSON document is such a log."""
    outer = object_of(document)
    return isinstance(outer.get("eval"), dict) and "status" in outer and ("samples" in outer or "plan" in outer)


def is_log_archive(names: list[str]) -> bool:
    """Whether a zip archive with these files in it is such a log."""
    return "header.json" in names or "_journal/start.json" in names


def read_log(source: Source) -> Iterator[Line]:
    """Yield a header and a line a question."""
    if source.kind == "archive":
        header = _header(source.path)
        samples = _archived(source.path)
    else:
        header = object_of(source.document)
        samples = (object_of(sample) for sample in items_of(header.get("samples")))
    settings = {
        **object_of(object_of(header.get("eval")).get("model_generate_config")),
        **object_of(object_of(header.get("plan")).get("config")),
    }
    if header.get("status") not in (None, "success"):
        source.notes.say(f"the evaluation ended with status {shown(header.get('status'))}: what it logged is read")
    yield from grouped(_drawn(source, samples, header, settings), source)


def _drawn(
    source: Source, samples: Iterator[Mapping[str, Any]], header: Mapping[str, Any], settings: Mapping[str, Any]
) -> Iterator[Drawn]:
    fields, notes = QuestionFields(source), source.notes
    model = text_of(object_of(header.get("eval")).get("model"))
    temperature = temperature_of(settings)
    is_greedy = None if temperature is None else temperature == 0
    drawn = failed = 0
    for sample in samples:
        place = f"sample {shown(sample.get('id'))} epoch {sample.get('epoch', 1)}"
        with source.at(place):
            draws = draws_of_reply(_reply(sample), temperature, notes)
        if not draws or sample.get("error"):
            failed += 1
            notes.count(
                "sample failed or holds no answer and is left out", "samples failed or hold no answer and are left out"
            )
            continue
        with source.at(place):
            question = _question(sample, fields)
        label = _label(object_of(sample.get("scores")), notes)
        order = finite(sample.get("epoch")) or 0.0
        drawn += 1
        yield Drawn(place, str(sample.get("id")), question, draws, is_greedy, label, order, model)
    if not drawn:
        what = f"each of its {failed:,} samples failed" if failed > 1 else "its only sample failed" if failed else ""
        reason = f"{what or 'it holds no samples'}; the evaluation ended with status {shown(header.get('status'))}"
        raise LineError(f"the log holds no answers: {reason}", _WITH_SAMPLES)


def _reply(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sample's output as a chat completion."""
    output = object_of(sample.get("output"))
    rows: list[dict[str, Any]] = []
    for index, choice in enumerate(map(object_of, items_of(output.get("choices")))):
        message = object_of(choice.get("message"))
        thoughts = [text_of(object_of(part).get("reasoning")) for part in items_of(message.get("content"))]
        content, reason = content_text(message.get("content")), text_of(choice.get("stop_reason"))
        rows.append(
            {
                "index": index,
                "message": {"content": content, "reasoning": "".join(x for x in thoughts if x)},
                "finish_reason": None if reason == "unknown" else reason,
                "logprobs": choice.get("logprobs"),
            }
        )
    return {"choices": rows}


def _question(sample: Mapping[str, Any], fields: QuestionFields) -> dict[str, Any]:
    given = sample.get("input")
    keys = {key: sample[key] for key in ("target", "choices") if sample.get(key)}
    if isinstance(given, list):
        asked = request_question({"messages": given}, fields.notes)
        keys |= asked
    else:
        keys["question"] = given
    return {**fields.read(keys), "id": str(sample.get("id"))}


def _label(scores: Mapping[str, Any], notes: Notes) -> LabelValue | None:
    """Return the verdict of the first scorer, `None` where it spells none."""
    for name, score in scores.items():
        value = object_of(score).get("value")
        label = {"P": LabelValue.AMBIGUOUS, "N": LabelValue.INCORRECT}.get(str(value)) or label_of(value)
        if label is not None:
            notes.say(f"the score {shown(name)} is read as the label")
            return label
    return None


# The archive


def _header(path: Path) -> dict[str, Any]:
    """Return what a log says of itself: at its end, or at its start where it was not finished."""
    names = archive_names(path)
    name = "header.json" if "header.json" in names else "_journal/start.json"
    with zipfile.ZipFile(path) as archive:
        return object_of(_member(path, archive.getinfo(name)))


def _archived(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the samples of an archive, one in memory at a time."""
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if info.filename.startswith("samples/")]
    for info in members:
        yield object_of(_member(path, info))


def _member(path: Path, info: zipfile.ZipInfo) -> Any:
    """Return the JSON of one file of an archive."""
    where = f"`{path}` in {shown(info.filename)}"
    try:
        with path.open("rb") as stream:
            stream.seek(info.header_offset)
            name_length, extra_length = struct.unpack("<26xHH", stream.read(30))
            stream.seek(name_length + extra_length, 1)
            packed = stream.read(info.compress_size)
        data = _unpacked(packed, info.compress_type, path)
        if len(data) > _MAX_MEMBER:
            raise RecordedFileError(f"{where}: larger than {_MAX_MEMBER >> 20} MiB", "save the log as `.json`")
        return json.loads(data, parse_constant=lambda _: None)
    except (OSError, struct.error, zlib.error, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise RecordedFileError(
            f"{where} cannot be read: {reason.lower()}", "the log may be cut off; copy it again"
        ) from None


def _unpacked(packed: bytes, method: int, path: Path) -> bytes:
    """Return the bytes of a member, one more than the limit at most."""
    if method == zipfile.ZIP_STORED:
        return packed
    if method == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _MAX_MEMBER + 1)
    if method != _ZSTANDARD:
        raise RecordedFileError(f"`{path}` is compressed in a way that cannot be read", "save the log as `.json`")
    try:
        import zstandard
    except ModuleNotFoundError:
        message = f"`{path}` is compressed with Zstandard, and `zstandard` is not installed"
        raise RecordedFileError(message, "`pip install zstandard`, or `inspect log convert --to json`") from None
    try:
        with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
            return reader.read(_MAX_MEMBER + 1)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
