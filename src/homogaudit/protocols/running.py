"""Protocols carried out: each command once, each run file in one folder, and shared by all protocols that need it.

It knows which command makes a run file and which prints; what they compute, the commands know. A run file is named
after everything that made it, so that a second call goes on where the first was stopped.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from homogaudit.errors import HomogauditError, IncompleteRunError, UsageError, from_kind
from homogaudit.launch.run_paths import SUFFIX, slug
from homogaudit.protocols.paths import Found, find
from homogaudit.protocols.protocol import ROLES, FigurePath, Protocol, fill, placeholders
from homogaudit.protocols.records import Measured, ProtocolFigure, ProtocolResult
from homogaudit.report.undefined import Undefined
from homogaudit.store import RunFile
from homogaudit.store.run_schema import schema_version

SOURCE = "arXiv 2603.24124 (paper) and github.com/DigitLion/ucbd-experiment (repository)"
"""Of the experiments."""

_MAKES_RUNS = ("run", "score")
"""Commands whose step is a run file, which later steps may name and a file of the user's may replace."""

_INTERRUPTED = 130
"""Exit code of what the user stopped."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to: its exit code, and what it printed to standard output."""

    code: int
    output: str


Execute = Callable[[Sequence[str]], Outcome]
"""Runs one command line of homogaudit, without the program's name."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user names.

    Attributes:
        folder: Of the run files.
        roles: Models by role, see `ROLES`.
        questions: To ask in place of those of each protocol; `None` for these.
        limit: Ask only the first so many; `None` for all.
        samples: Per question, whatever a protocol sets; `None` for what it sets.
        max_tokens: As `samples`.
        runs: Finished runs, or recorded answers, in place of steps: by the step's name, or without one for the first
            step that has none.
        quiet: Whether commands show no progress.
    """

    folder: Path
    roles: Mapping[str, str] = field(default_factory=dict[str, str])
    questions: str | None = None
    limit: int | None = None
    samples: int | None = None
    max_tokens: int | None = None
    runs: tuple[tuple[str | None, Path], ...] = ()
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class _Missing:
    """Why a step has no result."""

    reason: str


class Runner:
    """Carries protocols out.

    Args:
        request: What the user names.
        execute: Runs a command.

    Attributes:
        printed: What each command printed, so that none is run twice.
    """

    def __init__(self, request: Request, execute: Execute) -> None:
        self._request = request
        self._execute = execute
        self.printed: dict[tuple[str, ...], Any] = {}

    def run(self, protocol: Protocol) -> ProtocolResult:
        """Carry out one protocol; what is missing or fails leaves its figures undefined, with the reason.

        Raises:
            UsageError: A run was named for a step that the protocol does not have.
            HomogauditError: The user stopped it.
        """
        given = self._given_runs(protocol)
        found: dict[str, Any] = {}
        runs: dict[str, str] = {}
        for name, command in protocol.steps.items():
            result = self._step(name, command, protocol, given, found)
            found[name] = result
            if isinstance(result, Path):
                runs[name] = str(result)
        figures = tuple(figure for x in protocol.figures for figure in _figures(x, found[x.step]))
        reasons = dict.fromkeys(x.reason for x in found.values() if isinstance(x, _Missing))
        measured = any(isinstance(x.measured, Measured) for x in figures)
        # Where nothing is measured although every command ran, the questions lack something.
        lacking = () if measured or reasons else tuple(f"the questions need {need}" for need in protocol.needs)
        return ProtocolResult(
            name=protocol.name,
            title=protocol.title,
            experiments=protocol.experiments,
            question=protocol.question,
            published_with=protocol.published_with,
            runs=runs,
            figures=figures,
            missing=(*reasons, *lacking),
            differs=protocol.differs,
        )

    def _given_runs(self, protocol: Protocol) -> dict[str, Path]:
        """Return the files that stand in for steps of a protocol, by step."""
        made = [name for name, command in protocol.steps.items() if command[0] in _MAKES_RUNS]
        drawn = [name for name in made if protocol.steps[name][0] == "run"]
        named = {name: path for name, path in self._request.runs if name is not None}
        if unknown := set(named) - set(made):
            hint = f"its runs are {', '.join(f'`{name}`' for name in made)}"
            raise UsageError(f"`{protocol.name}` has no run `{sorted(unknown)[0]}`", hint)
        unnamed = [path for name, path in self._request.runs if name is None]
        rest = [name for name in drawn if name not in named]
        return named | dict(zip(rest, unnamed, strict=False))

    def _step(
        self,
        name: str,
        command: tuple[str, ...],
        protocol: Protocol,
        given: Mapping[str, Path],
        found: Mapping[str, Any],
    ) -> Any:
        """Return a run file, the JSON that was printed, or why there is neither."""
        try:
            if name in given:
                return self._imported(given[name])
            filled = self._filled(command, protocol, found)
            if isinstance(filled, _Missing):
                return filled
            if command[0] == "run":
                return self._drawn(filled)
            if command[0] == "score":
                return self._scored(filled)
            if command[0] == "sweep":
                return self._print(self._swept(filled))
            return self._print(filled)
        except HomogauditError as error:
            if error.exit_code == _INTERRUPTED:
                raise
            return _Missing(f"step `{name}`: {error.message}")

    def _filled(
        self, command: tuple[str, ...], protocol: Protocol, found: Mapping[str, Any]
    ) -> tuple[str, ...] | _Missing:
        """Return the arguments of a command with every name replaced."""
        values: dict[str, str] = {"questions": self._request.questions or protocol.questions, **self._request.roles}
        for name in placeholders(command):
            if name in found:
                if isinstance(found[name], _Missing):
                    return found[name]
                values[name] = str(found[name])
            elif name in ROLES and name not in values:
                return _Missing(f"needs `{ROLES[name]}`")
        return tuple(fill(argument, values) for argument in command)

    def _drawn(self, command: tuple[str, ...]) -> Path:
        """Return the run file of a `run`, drawn now unless it is there."""
        command = self._shortened(command)
        path = self._path(command, command[1])
        if not _is_complete(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._carry_out((*command, "-o", str(path)))
            _require_complete(path)
        return path

    def _swept(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """Return a `sweep` with its folder, which goes on where it was stopped, and else prints its table."""
        command = self._shortened(command)
        self._request.folder.mkdir(parents=True, exist_ok=True)
        return (*command, "-o", str(self._path(command, f"{command[1]}-sweep").with_suffix("")))

    def _shortened(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """Return a command that draws no more than the user asked for, whatever the protocol sets."""
        request = self._request
        asked = {
            "--limit": request.limit,
            "--samples": request.samples,
            "--max-tokens": request.max_tokens,
            "--greedy-max-tokens": request.max_tokens,
        }
        varied = {f"--{x.partition('=')[0].replace('_', '-')}" for x in command if "=" in x}
        for flag, value in asked.items():
            if value is not None and flag not in varied:
                if flag in command:
                    place = command.index(flag)
                    command = (*command[:place], *command[place + 2 :])
                command = (*command, flag, str(value))
        return command

    def _scored(self, command: tuple[str, ...]) -> Path:
        """Return the run file of a `score`, which works on a copy: the run is shared with other protocols."""
        source = Path(command[1])
        path = self._path(command, source.stem)
        if not _is_complete(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".draft")
            if not draft.exists():
                copy = path.with_suffix(".copy")
                shutil.copyfile(source, copy)
                os.replace(copy, draft)
            self._carry_out((command[0], str(draft), *command[2:]))
            _require_complete(draft)
            os.replace(draft, path)
        return path

    def _imported(self, file: Path) -> Path:
        """Return the run file that the user named, made of it where it holds recorded answers."""
        if not file.is_file():
            raise UsageError(f"no file `{file}`", "`--run` takes a run file, or recorded answers")
        if schema_version(file) is not None:
            return file
        state = file.stat()
        path = self._path(("import", str(file.absolute()), str(state.st_size), str(state.st_mtime_ns)), file.name)
        if not _is_complete(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            self._carry_out(("import", str(file), "-o", str(path)), as_json=False)
        return path

    def _print(self, command: tuple[str, ...]) -> Any:
        """Return the JSON that a command prints; the same command is run once."""
        if command not in self.printed:
            self.printed[command] = self._carry_out(command)
        return self.printed[command]

    def _path(self, made_by: tuple[str, ...], stem: str) -> Path:
        told = hashlib.sha256("\0".join(made_by).encode()).hexdigest()[:10]
        return self._request.folder / f"{slug(stem)}-{told}{SUFFIX}"

    def _carry_out(self, command: tuple[str, ...], *, as_json: bool = True) -> Any:
        """Run a command and return what it printed as JSON.

        Raises:
            HomogauditError: It failed; what was printed nevertheless, such as the report of an unfinished run, counts.
        """
        flags = ["--json"] if as_json and "--json" not in command else []
        if command[0] == "run":
            # Whatever the user's settings say: what was published is of whole files.
            flags.append("--no-until-decided")
        if self._request.quiet and command[0] in ("run", "score", "import", "sweep"):
            flags.append("--quiet")
        outcome = self._execute((*command, *flags))
        if not as_json:
            printed = None
        else:
            try:
                printed = json.loads(outcome.output)
            except ValueError:
                printed = {}
        if isinstance(printed, dict) and "error" in printed:
            error = cast("dict[str, Any]", printed)["error"]
            raise from_kind(error["kind"], error["message"], error["hint"])
        if outcome.code and not printed:
            raise from_kind(
                "interrupted" if outcome.code == _INTERRUPTED else "engine",
                f"`homogaudit {command[0]}` ended with exit code {outcome.code}",
            )
        return printed


def _is_complete(path: Path) -> bool:
    if not path.exists():
        return False
    with RunFile.open(path) as stored:
        return stored.status == "complete"


def _require_complete(path: Path) -> None:
    """Check that a command has done all of a run.

    Raises:
        IncompleteRunError: It was stopped.
    """
    if not _is_complete(path):
        raise IncompleteRunError(f"`{path}` is not complete", "run the same protocol again to continue")


def _figures(wanted: FigurePath, source: Any) -> list[ProtocolFigure]:
    """Return the figures at a path, one or as many as a `*` in it has keys."""
    if isinstance(source, _Missing):
        return [_figure(wanted, Found((), None, source.reason))]
    found = find(source, wanted.path)
    # What is the only one needs no name of its own.
    return [_figure(wanted, x, x.names if len(found) > 1 else ()) for x in found]


def _figure(wanted: FigurePath, found: Found, names: Sequence[str] = ()) -> ProtocolFigure:
    measured = _measured(found)
    return ProtocolFigure(
        name=" ".join((wanted.name, *(f"({name})" for name in names))),
        percent=wanted.percent or (isinstance(measured, Measured) and measured.k is not None),
        published=wanted.published,
        measured=measured,
        agrees=_agrees(wanted, measured),
        differs=wanted.differs,
    )


def _measured(found: Found) -> Measured | Undefined:
    value = found.value
    if isinstance(value, dict) and "value" in value:
        record = cast("dict[str, Any]", value)
        return Measured(float(record["value"]), *(record.get(name) for name in ("low", "high", "k", "n")))
    if isinstance(value, (int, float)):
        return Measured(float(value), None, None, None, None)
    return Undefined(found.reason or "the output holds no number there")


def _agrees(wanted: FigurePath, measured: Measured | Undefined) -> bool | None:
    """Return whether the published figure lies in the measured interval; `None` where one of them is not there."""
    if wanted.published is None or isinstance(measured, Undefined):
        return None
    published = wanted.published.value
    if wanted.tolerance is not None and abs(measured.value - published) <= wanted.tolerance:
        return True
    if measured.low is None or measured.high is None:
        return None
    return measured.low <= published <= measured.high
