"""Chat templates are programs of somebody else: they are compiled and rendered in a process that can be ended.

Jinja's sandbox keeps a template from Python's objects. It does not keep one from hanging, or from eating the memory, in
a single operation; the process does that, whatever the operation is. Knows nothing of questions.
"""

import atexit
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from homogaudit.config.python_child import child_environment, script_command

MAX_SECONDS = 1.5
"""CPU time of one rendering; real templates need about a millisecond."""

_PATIENCE = 10.0 if hasattr(signal, "setitimer") else 1.0
"""Seconds of a clock for one of CPU time: a machine at work is slow, not the template. Windows has the clock alone."""

MAX_SOURCE = 1_000_000
"""Characters of a template; the longest in use have some 20,000."""

_MOST_MEMORY = 150_000_000
"""Bytes that a template may take beside the interpreter's own 25 MB."""

_TOO_LONG = "it ran for more than {:g} s"

_START_SECONDS = 60.0
_POLL_SECONDS = 0.02

_CAN_LIMIT_MEMORY = sys.platform == "linux"
"""Whether the system holds the process to its bound. Elsewhere its size is looked at while it works."""


@dataclass(eq=False)
class TemplateFailure(Exception):
    """A template that cannot be compiled or rendered.

    Attributes:
        line: The template's line (from 1) where it failed, where that is known.
        went_too_far: It took more time or memory than it may: what it is given will not change that.
    """

    reason: str
    line: int | None = None
    went_too_far: bool = False


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
        self._source, self._now = source, now.isoformat()
        self._trial_seconds = 0.0
        self._ask(None, is_trial=True)

    def render(self, variables: Mapping[str, Any], *, is_trial: bool = False) -> str:
        """Return the rendered text; `variables` are what JSON can hold.

        Compiling and trials share the time of one rendering, so that a slow template is not tried at length.

        Raises:
            TemplateFailure: The template failed, broke the sandbox's rules, or ran beyond the bounds.
        """
        return self._ask(variables, is_trial=is_trial)

    def _ask(self, variables: Mapping[str, Any] | None, *, is_trial: bool) -> str:
        seconds = max(MAX_SECONDS - (self._trial_seconds if is_trial else 0.0), 0.001)
        request = json.dumps([self._source, self._now, variables, seconds]).encode() + b"\n"
        reply = _RENDERER.ask(request, _PATIENCE * seconds)
        self._trial_seconds += reply["seconds"] if is_trial else 0.0
        if "text" in reply:
            return reply["text"]
        raise TemplateFailure(reply["reason"], reply["line"], reply["went_too_far"])


class _Renderer:
    """The one process of this process that renders; started when it is needed, and anew after it was ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, request: bytes, seconds: float) -> dict[str, Any]:
        """Return the reply to a request, which has these seconds of a clock.

        Raises:
            TemplateFailure: There is none.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            reply = self._exchange(request, seconds)
            if reply.get("went_too_far"):
                # What it took may not have come back.
                self.close()
            return reply

    def _start(self) -> None:
        self.close()
        script = Path(__file__).with_name("template_process.py")
        self._process = subprocess.Popen(
            script_command(script, str(_MOST_MEMORY if _CAN_LIMIT_MEMORY else 0)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
            start_new_session=True,
        )
        try:
            self._exchange(b"", _START_SECONDS)
        except TemplateFailure:
            raise TemplateFailure("the process that renders templates does not start", went_too_far=True) from None

    def _exchange(self, request: bytes, seconds: float) -> dict[str, Any]:
        """Return the reply to a request.

        Raises:
            TemplateFailure: There is none: the process came to its end, or was brought there.
        """
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        with _Watch(process, seconds) as watch:
            try:
                process.stdin.write(request)
                process.stdin.flush()
                line = process.stdout.readline()
            except OSError:
                line = b""
        if line.endswith(b"\n") and not watch.reason:
            return json.loads(line)
        self.close()
        took_too_long = _PATIENCE > 1 and process.returncode == -signal.SIGPROF
        reason = _TOO_LONG.format(MAX_SECONDS) if took_too_long else watch.reason
        raise TemplateFailure(reason or "it brought down the process that renders it", went_too_far=True)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            # Closes its pipes as well.
            process.communicate()


class _Watch:
    """Ends a process that takes too long, or grows too large where the system does not hold it to its bound."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._process, self._seconds = process, seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.reason = ""

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        end = time.monotonic() + self._seconds
        longest = self._seconds if _CAN_LIMIT_MEMORY else _POLL_SECONDS
        while not self._done.wait(min(longest, max(0.0, end - time.monotonic()))):
            if time.monotonic() >= end:
                self.reason = _TOO_LONG.format(MAX_SECONDS)
            elif not _CAN_LIMIT_MEMORY and _resident(self._process.pid) > _MOST_MEMORY:
                self.reason = "it needs too much memory"
            if self.reason:
                self._process.kill()
                return


def _resident(pid: int) -> int:
    """Return the bytes of memory that a process holds; 0 where the system does not tell."""
    ps = shutil.which("ps", path="/bin:/usr/bin")
    if ps is None:
        return 0
    found = subprocess.run([ps, "-o", "rss=", "-p", str(pid)], capture_output=True, check=False)
    return int(found.stdout.strip() or 0) * 1024


_RENDERER = _Renderer()


def close_renderer() -> None:
    """End the process that renders; the next rendering starts one anew."""
    _RENDERER.close()


atexit.register(close_renderer)
