"""One line of a recorded file: from its bytes to a header or a question with its draws, or the reason why not.

It knows one line at a time and the rules of the format; it does not know files, line numbers or run files.
"""

import base64
import contextlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from homogaudit.codec import kind_of
from homogaudit.records import (
    GREEDY,
    Generation,
    GenerationState,
    LabelValue,
    ModelCall,
    Question,
    TokenStatistics,
    make_question_id,
)

FORMAT = "homogaudit.recorded"
VERSION = 1

UNTIL_DECIDED = "until_decided"
"""In the header of a run that stops once it is decided: what it decides, so that its intervals stay what they are."""

HEADER_KEYS = frozenset({"format", "version", "model", "decoding", "directions", "embedder", UNTIL_DECIDED})
QUESTION_KEYS = frozenset(
    {"id", "question", "category", "answers", "incorrect_answers", "greedy", "samples", "label", "signals"}
)
QUESTION_FIELDS = ("context", "system", "category", "answers", "incorrect_answers", "passages", "choices")
"""Of a `Question`, as an exported line has them behind its id and its text."""

VECTOR_PREFIX = "float16:"
ARRAY_KEYS = ("token_ids", "token_entropies", "token_logprobs", "token_logits")
_MAX_DEPTH = 64
"""Far beyond any real value, far below what exhausts the stack when it is written again."""

_ROUNDING = 1e-4
"""Half and single precision leave an entropy or log-probability of 0 at most this far on the wrong side of it."""


_NO_STATISTICS = TokenStatistics()

_LARGEST = 10**12
"""Tokens or seconds: far beyond any draw, far below what 64 bits hold."""


class AnswerText(Protocol):
    """What a parser finds in a raw text: the answer after the thinking, and what became of the draw."""

    @property
    def answer(self) -> str:
        """The answer, stripped; empty where there is none."""
        ...

    @property
    def state(self) -> GenerationState:
        """What became of the draw."""
        ...


AnswerParser = Callable[[str], AnswerText]


@dataclass(frozen=True, slots=True)
class RecordedQuestion:
    """One line of a recorded file.

    Attributes:
        greedy: `None` where it was not recorded.
        signals: Values as recorded, not oriented; a null in the file is left out.
        generation_extra: Keys of a generation that the format does not know, by sample index.
        given_answers: Sample indexes of the draws whose answer and state came with the line.
        embeddings: Vectors that came with the line, by the text that they are of: the question or an answer.
        meaning: How similar the different answers of the samples are, in the order of `itertools.combinations` of their
            sorted texts.
    """

    question: Question
    greedy: Generation | None
    samples: tuple[Generation, ...]
    label: LabelValue | None
    signals: Mapping[str, float]
    generation_extra: Mapping[int, Mapping[str, Any]]
    given_answers: tuple[int, ...] = ()
    embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict[str, NDArray[np.float32]])
    meaning: NDArray[np.float32] | None = None
    calls: tuple[ModelCall, ...] = ()


@dataclass(eq=False)
class LineError(Exception):
    """Why a line is refused: a reason without file and line, and what to do about it."""

    reason: str
    hint: str | None = None


def _refuse_constant(name: str) -> float:
    raise LineError(f"`{name}` is not a JSON number", "write null, or leave the value out")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def read_object(line: bytes) -> dict[str, Any]:
    """Return the object on a line."""
    hint = "the format is JSON Lines: one object per line"
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LineError(f"not UTF-8 (byte `0x{line[error.start]:02x}`)", "save the file as UTF-8") from None
    try:
        value = _DECODER.decode(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise LineError(f"broken JSON: {error.msg.lower()} at column {error.colno}", hint) from None
    except UnicodeEncodeError:
        raise LineError("a text holds half of a surrogate pair", "fix its `\\u` escape") from None
    except RecursionError:
        raise LineError("nested too deeply", hint) from None
    except ValueError:
        # The json module reads integers with int(), which refuses thousands of digits.
        raise LineError("a number too long to read", hint) from None
    if not isinstance(value, dict):
        raise LineError(f"{kind_of(value)}, expected an object", hint)
    return cast("dict[str, Any]", value)


def read_header(value: Mapping[str, Any], is_first: bool) -> dict[str, Any]:
    """Return the checked header, its directions as whole numbers."""
    if value["format"] != FORMAT:
        raise LineError(f"the format is {shown(value['format'])}, expected `{FORMAT}`")
    if not is_first:
        raise LineError("the header is not on the first line", "a file has one header, before all questions")
    version = value.get("version", VERSION)
    if type(version) is not int or version < 1:
        raise LineError(f"`version` is {shown(version)}, expected `{VERSION}`")
    if version > VERSION:
        raise LineError(f"the format has version {version}, and this homogaudit reads up to {VERSION}", "upgrade it")
    _text_or_none(value, "model")
    _object_or_empty(value, "decoding")
    directions: dict[str, int] = {}
    for name, direction in _object_or_empty(value, "directions").items():
        if isinstance(direction, bool) or direction not in (1, -1):
            hint = "-1 says that lower is more uncertain, 1 that higher is"
            raise LineError(f"the direction of {shown(name)} is {shown(direction)}, expected -1 or 1", hint)
        directions[name] = int(direction)
    embedder = _object_or_empty(value, "embedder")
    for key in ("name", "key"):
        _text_or_none(embedder, key)
    if type(embedder.get("calibrated_threshold", 1.0)) not in (float, type(None)):
        raise LineError("`calibrated_threshold` of the embedder is not a number", "it is a cosine, such as 0.85")
    rule = _object_or_empty(value, UNTIL_DECIDED)
    bound = rule.get("max_scr")
    if bound is not None and not (type(bound) is float and 0 < bound < 1):
        raise LineError(f"`max_scr` of `{UNTIL_DECIDED}` is {shown(bound)}", "it lies between 0 and 1, or is null")
    if rule and type(rule.get("seed", 0)) is not int:
        raise LineError(f"`seed` of `{UNTIL_DECIDED}` is {shown(rule['seed'])}, expected a whole number")
    _check_unknown({key: item for key, item in value.items() if key != "directions"})
    return {**value, "directions": directions, "embedder": embedder}


def read_question(value: Mapping[str, Any], parse_answer: AnswerParser | None) -> RecordedQuestion:
    """Return the record of one line."""
    if value.get("question") is None:
        raise LineError("no `question`", "only `question` is required")
    text = _text(value, "question").strip()
    if not text:
        raise LineError("`question` is empty")
    identifier = value.get("id")
    if type(identifier) is int:
        identifier = str(identifier)
    elif identifier is None:
        identifier = make_question_id(text)
    elif not isinstance(identifier, str) or not identifier.strip():
        raise LineError(f"`id` is {kind_of(identifier)}, expected a text", "leave it out to have one made")
    extra = {key: item for key, item in value.items() if key not in QUESTION_KEYS}
    passages: tuple[str, ...] = ()
    if _is_texts(extra.get("passages")):
        passages = tuple(extra.pop("passages"))
    context, system = (extra.pop(key) if isinstance(extra.get(key), str) else None for key in ("context", "system"))
    choices = tuple(extra.pop("choices")) if _is_texts(extra.get("choices")) else ()
    vector, meaning, calls = _vector(extra), _vector(extra, "meaning"), _calls(extra, identifier)
    embeddings = {} if vector is None else {text: vector}
    _check_unknown(extra)
    question = Question(
        id=identifier,
        text=text,
        category=_text_or_none(value, "category"),
        answers=_texts(value, "answers"),
        incorrect_answers=_texts(value, "incorrect_answers"),
        passages=passages,
        extra=extra,
        context=context,
        system=system,
        choices=choices,
    )
    listed = value.get("samples")
    if listed is not None and not isinstance(listed, list):
        raise LineError(f"`samples` is {kind_of(listed)}, expected a list", "one answer per line goes under `response`")
    generation_extra: dict[int, Mapping[str, Any]] = {}
    given_answers: list[int] = []
    texts: dict[str, str] = {}

    def generation(item: object, index: int) -> Generation:
        name = "greedy" if index == GREEDY else f"samples[{index}]"
        try:
            result = _generation(item, identifier, index, parse_answer, texts)
        except LineError as error:
            raise LineError(f"`{name}`: {error.reason}", error.hint) from None
        if result.extra:
            generation_extra[index] = result.extra
        if result.is_given:
            given_answers.append(index)
        if result.embedding is not None:
            embeddings[result.generation.answer] = result.embedding
        return result.generation

    given = value.get("greedy")
    greedy = None if given is None else generation(given, GREEDY)
    samples = tuple(generation(item, index) for index, item in enumerate(cast("list[object]", listed or [])))
    return RecordedQuestion(
        question=question,
        greedy=greedy,
        samples=samples,
        label=_label(value.get("label")),
        signals=_signals(value),
        generation_extra=generation_extra,
        given_answers=tuple(given_answers),
        embeddings=embeddings,
        calls=calls,
        meaning=meaning,
    )


@dataclass(frozen=True, slots=True)
class _ReadGeneration:
    generation: Generation
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_given: bool = False
    embedding: NDArray[np.float32] | None = None


def _generation(
    item: object, question_id: str, index: int, parse_answer: AnswerParser | None, texts: dict[str, str]
) -> _ReadGeneration:
    """Return one draw and the keys of it that the format does not know; `texts` are those of the question so far."""
    if not isinstance(item, str | dict):
        raise LineError(f"{kind_of(item)}, expected a text or an object", 'an answer is `"..."` or `{"text": "..."}`')
    extra: dict[str, Any] = {"text": item} if isinstance(item, str) else dict(cast("dict[str, Any]", item))
    if extra.get("text") is None:
        raise LineError("no `text`", "every answer needs its `text`; it may be empty")
    text = _text(extra, "text")
    # Equal answers are one text: they are most of what a file takes in memory.
    text = texts.setdefault(text, text)
    finish_reason = _text_or_none(extra, "finish_reason")
    if finish_reason not in (None, "stop", "length"):
        hint = "`length` says that the answer was cut, `stop` that it ended; leave it out where it is not known"
        raise LineError(f"`finish_reason` is {shown(finish_reason)}, expected `stop` or `length`", hint)
    statistics = _token_statistics(extra)
    for key in ("text", "finish_reason", "answer_mask", *ARRAY_KEYS):
        extra.pop(key, None)
    arrays = (statistics.token_ids, statistics.entropies, statistics.logprobs, statistics.logits)
    tokens = next((len(array) for array in arrays if array is not None), None)
    # The keys below are what `export` adds beyond the format; in a file of another writer they may mean anything.
    if type(extra.get("tokens")) is int and extra["tokens"] >= 0:
        given = _in_range(extra.pop("tokens"), "tokens")
        tokens = int(given) if tokens is None else tokens
    seconds = None
    if type(extra.get("seconds")) in (int, float) and extra["seconds"] >= 0:
        seconds = float(_in_range(extra.pop("seconds"), "seconds"))
    embedding = _vector(extra)
    answer = text.strip()
    state = GenerationState.VALID if answer else GenerationState.EMPTY
    if parse_answer is not None:
        parsed = parse_answer(text)
        answer, state = parsed.answer, parsed.state
    is_given = extra.get("state") in list(GenerationState) and isinstance(extra.get("answer"), str)
    if is_given:
        given_state, given_answer = GenerationState(extra.pop("state")), extra.pop("answer")
        if parse_answer is not None or given_state is GenerationState.ERROR:
            answer, state = given_answer, given_state
    _check_unknown(extra)
    generation = Generation(question_id, index, text, answer, state, finish_reason, tokens, statistics, seconds)
    return _ReadGeneration(generation, extra, is_given, embedding)


def _vector(extra: dict[str, Any], key: str = "embedding") -> NDArray[np.float32] | None:
    """Take numbers out of a line or a draw, as `export` writes them: float16, little-endian, in base64."""
    text = extra.get(key)
    if not isinstance(text, str) or not text.startswith(VECTOR_PREFIX):
        return None
    with contextlib.suppress(ValueError):
        packed = base64.b64decode(text.removeprefix(VECTOR_PREFIX), validate=True)
        vector = np.frombuffer(packed, "<f2").astype(np.float32)
        if len(vector) and np.isfinite(vector).all():
            del extra[key]
            return vector
    return None


def _calls(extra: dict[str, Any], question_id: str) -> tuple[ModelCall, ...]:
    """Take what the model said of its own answer out of a line, as `export` writes it."""
    with contextlib.suppress(TypeError, AttributeError):
        calls = tuple(ModelCall(question_id, kind, **call) for kind, call in extra.get("calls", {}).items())
        texts = {type(text) for call in calls for text in (call.reason, call.text)}
        numbers = [number for call in calls for number in (call.value or 0.0, call.tokens, call.seconds)]
        if texts <= {str} and all(0 <= number <= _LARGEST for number in numbers):
            extra.pop("calls", None)
            return calls
    return ()


def _in_range(number: float, key: str) -> float:
    """Return a count or a duration that is none of a draw's where it is too large to be stored."""
    if number > _LARGEST:
        raise LineError(f"`{key}` is {shown(number)}, which no answer has", "leave it out where it is not known")
    return number


def _token_statistics(value: Mapping[str, Any]) -> TokenStatistics:
    """Return the arrays of one draw, all of one length."""
    mask = value.get("answer_mask")
    if mask is not None and (not isinstance(mask, list) or set(map(type, cast("list[object]", mask))) - {bool}):
        raise LineError("`answer_mask` is not a list of true and false")
    lengths = {
        key: len(cast("list[object]", value[key]))
        for key in (*ARRAY_KEYS, "answer_mask")
        if isinstance(value.get(key), list)
    }
    arrays = {key: _numbers(value, key) for key in ARRAY_KEYS}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"`{key}` {length}" for key, length in lengths.items())
        raise LineError(f"token arrays of different lengths: {listed}", "give each array one value per token")
    ids, entropies, logprobs, logits = (arrays[key] for key in ARRAY_KEYS)
    if ids is not None and len(ids) and (ids.min() < 0 or ids.max() > np.iinfo(np.int32).max or (ids % 1).any()):
        raise LineError("`token_ids` holds a value that is not a token id", "ids are whole numbers from 0")
    if entropies is not None and len(entropies) and entropies.min() < -_ROUNDING:
        raise LineError(f"`token_entropies` holds `{entropies.min():.6g}`", "an entropy is never negative")
    if logprobs is not None and len(logprobs) and logprobs.max() > _ROUNDING:
        hint = "a log-probability is never positive; check its sign"
        raise LineError(f"`token_logprobs` holds `{logprobs.max():.6g}`", hint)
    if mask is None and not lengths:
        return _NO_STATISTICS
    return TokenStatistics(
        token_ids=None if ids is None else ids.astype(np.int32),
        entropies=None if entropies is None else np.maximum(entropies, 0).astype(np.float32),
        logprobs=None if logprobs is None else np.minimum(logprobs, 0).astype(np.float32),
        logits=None if logits is None else logits.astype(np.float32),
        answer_mask=None if mask is None else np.array(mask, dtype=np.bool_),
    )


def _numbers(value: Mapping[str, Any], key: str) -> NDArray[np.float64] | None:
    """Return a list of finite numbers that float32 can hold, `None` where there is none."""
    items = value.get(key)
    if items is None:
        return None
    if not isinstance(items, list):
        raise LineError(f"`{key}` is {kind_of(items)}, expected a list of numbers")
    if set(map(type, cast("list[object]", items))) - {int, float}:
        wrong = next(item for item in cast("list[object]", items) if type(item) not in (int, float))
        raise LineError(f"`{key}` holds {kind_of(wrong)}, expected numbers")
    with contextlib.suppress(OverflowError):
        array = np.array(items, dtype=np.float64)
        # Rounded first: the shortest decimal of the largest float32 lies above it.
        with np.errstate(over="ignore"):
            if np.isfinite(array.astype(np.float32)).all():
                return array
    raise LineError(f"`{key}` holds a number that is not finite", "write null for an array that is not known")


def _signals(value: Mapping[str, Any]) -> dict[str, float]:
    signals: dict[str, float] = {}
    for name, number in _object_or_empty(value, "signals").items():
        if not name.strip():
            raise LineError("`signals` holds a value without a name")
        if number is None:
            continue
        if type(number) not in (int, float):
            raise LineError(f"the signal {shown(name)} is {kind_of(number)}, expected a number")
        try:
            signals[name] = float(number)
        except OverflowError:
            signals[name] = math.inf
        if not math.isfinite(signals[name]):
            raise LineError(f"the signal {shown(name)} is not finite", "write null where it is not known")
    return signals


def _label(value: object) -> LabelValue | None:
    if value is None:
        return None
    if value not in list(LabelValue):
        listed = ", ".join(f"`{label}`" for label in LabelValue)
        raise LineError(f"`label` is {shown(value)}, expected one of {listed}")
    return LabelValue(cast("str", value))


def _text(value: Mapping[str, Any], key: str) -> str:
    if not isinstance(value[key], str):
        raise LineError(f"`{key}` is {kind_of(value[key])}, expected a text")
    return value[key]


def _text_or_none(value: Mapping[str, Any], key: str) -> str | None:
    return None if value.get(key) is None else _text(value, key)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[object]", value))


def _texts(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    items = value.get(key)
    if items is None:
        return ()
    if not _is_texts(items):
        raise LineError(f"`{key}` is not a list of texts", 'write a single text as `["..."]`')
    return tuple(item for item in items if item.strip())


def _object_or_empty(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    item = value.get(key)
    if item is not None and not isinstance(item, dict):
        raise LineError(f"`{key}` is {kind_of(item)}, expected an object")
    return cast("dict[str, Any]", item or {})


def _check_unknown(value: Mapping[str, Any]) -> None:
    """Refuse what is kept as it is but could not be written again."""
    pending: list[tuple[Any, int]] = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if depth > _MAX_DEPTH:
            raise LineError(f"nested deeper than {_MAX_DEPTH} levels")
        if isinstance(item, float) and not math.isfinite(item):
            raise LineError("a number that is not finite", "write null, or leave the value out")
        if isinstance(item, dict):
            pending.extend((member, depth + 1) for member in cast("dict[str, Any]", item).values())
        elif isinstance(item, list):
            pending.extend((member, depth + 1) for member in cast("list[Any]", item))


def question_line(question: Question) -> dict[str, Any]:
    """Return what is known of a question in the keys of the format."""
    line: dict[str, Any] = {"id": question.id, "question": question.text}
    for key in QUESTION_FIELDS:
        value = getattr(question, key)
        if value not in (None, ()):
            line[key] = list(value) if isinstance(value, tuple) else value
    return line


def shown(value: object) -> str:
    """Return a value of the file in backticks: short, and without control characters."""
    text = json.dumps(value, ensure_ascii=True).replace("`", "'")
    if isinstance(value, str):
        text = text[1:-1]
    return f"`{text[:59]}…`" if len(text) > 60 else f"`{text}`"
