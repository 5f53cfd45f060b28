"""Renders chat templates of somebody else, in a process of its own that holds nothing but Jinja and one template.

Started as a script, by its path, so that it imports no module of this project. A request is a line of JSON, `[source,
date, variables, seconds]`; the reply is one, `{"text": ...}` or `{"reason": ..., "line": ...}`, and the CPU `seconds`
that it took. Jinja's sandbox keeps a template from Python's objects, the system keeps it from memory and time: it ends
this process where it takes more CPU time than it may, and `sandbox` does where the system does not.
"""

import functools
import json
import os
import signal
import sys
import time
from datetime import datetime
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

_MOST_OUTPUT = 10_000_000
"""Characters of a rendered prompt, beyond every model's context."""

_MOST_REASON = 2_000
"""Characters of a template's own message."""

_KEPT = 8
"""Compiled templates that are kept: that of a model, that of a judge, and some."""


class _OutputError(jinja2.TemplateError):
    """The template wrote too much."""


class _GenerationBlock(Extension):
    """`{% generation %}`: marks assistant text for training; here its body alone counts."""

    tags = {"generation"}  # noqa: RUF012 (declared so by Jinja)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


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


@functools.lru_cache(maxsize=_KEPT)
def _compiled(source: str, now: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _GenerationBlock]
    )
    del environment.globals["lipsum"]
    environment.filters["tojson"] = _to_json  # pyright: ignore[reportArgumentType]
    functions: dict[str, Any] = environment.globals
    functions["raise_exception"] = _raise_exception
    functions["strftime_now"] = datetime.fromisoformat(now).strftime
    return environment.from_string(source)


def _answer(source: str, now: str, variables: dict[str, Any] | None) -> dict[str, Any]:
    """Return the text, or what went wrong and in which line of the template; without variables it is only compiled."""
    try:
        template = _compiled(source, now)
        pieces: list[str] = []
        size = 0
        for piece in template.generate(variables) if variables is not None else ():
            size += len(piece)
            if size > _MOST_OUTPUT:
                raise _OutputError(f"it wrote more than {_MOST_OUTPUT} characters")
            pieces.append(piece)
        return {"text": "".join(pieces)}
    except Exception as error:
        return {"reason": _reason(error), "line": _line(error), "went_too_far": isinstance(error, _TOO_FAR)}


_TOO_FAR = (RecursionError, MemoryError, _OutputError)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it calls itself without end, or is nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs too much memory"
    return " ".join(str(error)[:_MOST_REASON].split()) or type(error).__name__


def _line(error: Exception) -> int | None:
    """Return the template's line where it failed, where Jinja tells it."""
    line: int | None = getattr(error, "lineno", None)
    frame = error.__traceback__
    while line is None and frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


def _limit_memory(size: int) -> None:
    """Let the process have `size` bytes more than it has now, where the system can be told so."""
    import resource

    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + size, now + size))


def _limit_time(seconds: float) -> None:
    """Have the process end after so much CPU time, whatever it computes; 0 for never."""
    if hasattr(signal, "setitimer"):
        # The default action of its signal.
        signal.setitimer(signal.ITIMER_PROF, seconds)


def main() -> None:
    """Answer requests until standard input ends."""
    if memory := int(sys.argv[1]):
        _limit_memory(memory)
    print(json.dumps({}), flush=True)
    for line in sys.stdin.buffer:
        begin = time.process_time()
        *request, seconds = json.loads(line)
        _limit_time(seconds)
        answer = _answer(*request)
        # The next request is not read in what this one has left.
        _limit_time(0)
        print(json.dumps({**answer, "seconds": time.process_time() - begin}), flush=True)


if __name__ == "__main__":
    main()
