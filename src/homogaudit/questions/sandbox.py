"""Chat templates are programs of somebody else: compile and render them in Jinja's sandbox, with bounds.

The sandbox keeps a template from reaching Python's objects. The bounds added here keep it from hanging the process or
eating its memory: CPU time, size of the output, and size of what one operation may build. Knows nothing of questions.
"""

import functools
import json
import math
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import FrameType
from typing import Any, NoReturn, cast

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_SECONDS = 2.0
"""CPU time of one rendering; real templates need about a millisecond."""

MAX_SOURCE = 1_000_000
"""Characters of a template; the longest in use have some 20,000."""

MAX_OUTPUT = 10_000_000
"""Characters of a rendered prompt, beyond every model's context."""

_MAX_PRODUCT = 100_000_000
"""Bound on the extents of one call's arguments multiplied: no join, repetition or padding builds more than that."""

_WIDE_FORMAT = re.compile(r"%[^a-zA-Z%]*(?:\*|\d{5})|\{[^{}]*:[^{}]*(?:\{|\d{5})")
"""A field of a format string whose width is five digits or more, or is itself an argument."""


@dataclass(eq=False)
class TemplateFailure(Exception):
    """A template that cannot be compiled or rendered.

    Attributes:
        line: The template's line (from 1) where it failed, where that is known.
    """

    reason: str
    line: int | None = None


class CompiledTemplate:
    """A template ready to render, with the functions that chat templates expect.

    Those are `tojson` (no HTML escapes), `raise_exception`, `strftime_now`, loop controls, `{% generation %}` blocks;
    blocks are trimmed. Transformers renders chat templates so.

    `strftime_now` formats `now`: fixed, so that a resumed run renders what it rendered before.

    Raises:
        TemplateFailure: The source is no template.
    """

    def __init__(self, source: str, *, now: datetime) -> None:
        if len(source) > MAX_SOURCE:
            raise TemplateFailure(f"it has {len(source)} characters, over {MAX_SOURCE}")
        environment = _Environment(
            trim_blocks=True,
            lstrip_blocks=True,
            # The optimizer would evaluate constant expressions while compiling, outside the bounds.
            optimized=False,
            extensions=["jinja2.ext.loopcontrols", _GenerationBlock],
        )
        del environment.globals["lipsum"]
        filters = cast("dict[str, Callable[..., Any]]", environment.filters)
        filters["tojson"] = _to_json
        filters.update({name: _bounded(function) for name, function in filters.items()})
        functions = cast("dict[str, Any]", environment.globals)
        functions["raise_exception"] = _raise_exception
        functions["strftime_now"] = now.strftime
        try:
            tree = _ConcatAsAdd().visit(environment.parse(source))
            self._template = environment.from_string(tree)
        except Exception as error:
            raise _failure(error) from None

    def render(self, variables: Mapping[str, Any]) -> str:
        """Return the rendered text.

        Raises:
            TemplateFailure: The template failed, broke the sandbox's rules, or ran beyond the bounds.
        """
        pieces: list[str] = []
        size = 0
        try:
            with _Deadline(MAX_SECONDS):
                for piece in self._template.generate(variables):
                    size += len(piece)
                    if size > MAX_OUTPUT:
                        raise TemplateFailure(f"it wrote more than {MAX_OUTPUT} characters")
                    pieces.append(piece)
        except Exception as error:
            raise _failure(error) from None
        return "".join(pieces)


class _RunawayError(jinja2.TemplateError):
    """The template went beyond the bounds."""


def _raise_exception(message: object = "") -> NoReturn:
    raise jinja2.TemplateError(str(message))


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class _GenerationBlock(Extension):
    """`{% generation %}`: marks assistant text for training; here its body alone counts."""

    tags = {"generation"}  # noqa: RUF012 (declared so by Jinja)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _ConcatAsAdd(NodeTransformer):
    """Writes `a ~ b` as `a|string + b|string`: the sandbox can bound `+` but not `~`."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:
        self.generic_visit(node)
        texts: list[nodes.Expr] = [
            nodes.Filter(part, "string", [], [], None, None, lineno=node.lineno, environment=node.environment)
            for part in node.nodes
        ]
        whole = texts[0]
        for text in texts[1:]:
            whole = nodes.Add(whole, text, lineno=node.lineno, environment=node.environment)
        return whole


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, with a bound on what an operator or a method of a string may build."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        match operator:
            case "+":
                size = _extent(left) + _extent(right) if not isinstance(left, int | float) else 0
            case "%":
                _check_format(left)
                size = 0
            case "**":
                size = _bits(left) * (abs(right) if isinstance(right, int) else 1)
            case _:
                both_numbers = isinstance(left, int) and isinstance(right, int)
                size = _bits(left) + _bits(right) if both_numbers else _extent(left) * _extent(right)
        if size > MAX_OUTPUT:
            raise _RunawayError(f"`{operator}` would build something too large")
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        formatting = super().wrap_str_format(value)
        if formatting is None:
            return None
        template = str(value.__self__)

        @functools.wraps(formatting)
        def bounded(*args: Any, **kwargs: Any) -> str:
            _check_format(template)
            _check_extents(template, *args, *kwargs.values())
            return formatting(*args, **kwargs)

        return bounded

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str):
            args = tuple(_materialised(value) for value in args)
            _check_extents(owner, *args, *kwargs.values())
        return super().call(__context, __obj, *args, **kwargs)


def _bits(value: Any) -> int:
    """Return the size of a whole number in bits; floats have one size."""
    return value.bit_length() if isinstance(value, int) else 1


def _check_format(template: Any) -> None:
    """Refuse a format string that can pad far beyond its own length."""
    if isinstance(template, str) and _WIDE_FORMAT.search(template):
        raise _RunawayError("a format string asks for a very wide field")


def _extent(value: Any) -> int:
    """Return how far `value` can stretch a result: characters of a text or a list's texts, a number itself."""
    if isinstance(value, list | tuple):
        items = cast("Iterable[Any]", value)
        return sum(len(item) if isinstance(item, str) else 1 for item in items)
    if isinstance(value, str | dict | range):
        return len(cast("str | range", value))
    return abs(value) if isinstance(value, int) else 1


def _check_extents(*values: Any) -> None:
    """Refuse a call whose arguments multiply beyond the bound."""
    if math.prod(max(1, _extent(value)) for value in values) > _MAX_PRODUCT:
        raise _RunawayError("a call would build something too large")


def _materialised(value: Any) -> Any:
    """Return the items of an iterator as a list, so that their extent can be seen, and other values as they are."""
    if not isinstance(value, Iterator):
        return value
    items: list[Any] = []
    size = 0
    for item in cast("Iterator[Any]", value):
        size += max(1, _extent(item))
        if size > MAX_OUTPUT:
            raise _RunawayError("a list would hold too much")
        items.append(item)
    return items


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that refuses arguments with which it could build something too large."""

    @functools.wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        args = tuple(_materialised(value) for value in args)
        if function.__name__ == "do_format":
            _check_format(args[0])
        _check_extents(*args, *kwargs.values())
        return function(*args, **kwargs)

    return bounded


class _Deadline:
    """Stops template code that used up its CPU time.

    A trace function looks at the clock at every line of the template: it works in every thread and leaves a process
    that was merely suspended alone, which signals and wall clocks do not.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = 0.0
        self._previous: Any = None

    def __enter__(self) -> None:
        self._end = time.thread_time() + self._seconds
        self._previous = sys.gettrace()
        sys.settrace(self._enter_frame)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._previous)

    def _enter_frame(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._look if frame.f_code.co_filename == "<template>" else None

    def _look(self, frame: FrameType, event: str, argument: Any) -> Any:
        if time.thread_time() > self._end:
            raise _RunawayError(f"it ran for more than {self._seconds:g} s")
        return self._look


def _failure(error: Exception) -> TemplateFailure:
    """Return what went wrong in one line, with the template's line where Jinja tells it."""
    if isinstance(error, TemplateFailure):
        return error
    line: int | None = getattr(error, "lineno", None)
    if line is None:
        frame = error.__traceback__
        while frame is not None:
            if frame.tb_frame.f_code.co_filename == "<template>":
                line = frame.tb_lineno
            frame = frame.tb_next
    if isinstance(error, RecursionError):
        reason = "it calls itself without end, or is nested too deeply"
    elif isinstance(error, MemoryError):
        reason = "it needs too much memory"
    else:
        reason = " ".join(str(error).split()) or type(error).__name__
    return TemplateFailure(reason, line)
