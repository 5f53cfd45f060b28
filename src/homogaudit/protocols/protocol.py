"""A protocol as it is written down: commands, the figures to read, what was published, and what differs here.

Knows the file and checks it; it runs nothing. Commands are lists of arguments in which `{model}` and the like stand for
what the user names, and the name of an earlier step for the run file that it made.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from homogaudit.codec import STRICT, from_values
from homogaudit.config import did_you_mean
from homogaudit.errors import UsageError

ROLES: Mapping[str, str] = {
    "model": "--model MODEL",
    "base": "--base MODEL, the base model that it was aligned from",
    "sft": "--sft MODEL, the stage between base and aligned",
    "other": "--other MODEL, a second model",
    "quantized": "--quantized MODEL, the same model in another quantization",
    "nli": "--nli NAME, an NLI model",
    "embedder": "--embedder NAME, a second embedder",
}
"""What a command may ask for, and the flag that gives it."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Published:
    """A published figure.

    Attributes:
        value: The figure.
        low: Lower end of its published interval, `None` where none was published.
        high: Upper end of it.
        n: Questions behind it, `None` where that was not published.
        model: That it is of.
        source: Where it stands.
    """

    value: float
    model: str
    source: str
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class FigurePath:
    """A figure of a protocol.

    Attributes:
        name: What it is called beside others.
        step: Whose output it stands in.
        path: Where; see `homogaudit.protocols.paths`.
        published: What was published, `None` where nothing was found.
        tolerance: How far the measured figure may lie from it on the same answers; `None` where these were never
            published.
        percent: Whether it reads as per cent.
        differs: What differs from the published one, beyond what differs for the whole protocol.
    """

    name: str
    step: str
    path: str
    published: Published | None = None
    tolerance: float | None = None
    percent: bool = False
    differs: str = ""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One published experiment, or several that need the same commands.

    Attributes:
        name: As it is asked for: that of its file.
        title: In a line.
        experiments: Their published numbers.
        question: What it answers.
        published_with: Models and data of the published figures.
        questions: The packaged questions that are asked where the user names none.
        needs: What the questions or the models must have, in words.
        differs: What differs from the published experiment here.
        steps: The arguments of each command, by the name of its step, in their order.
        figures: In the order of the table.
    """

    __pydantic_config__ = STRICT

    name: str
    title: str
    experiments: tuple[int, ...]
    question: str
    published_with: str
    questions: str
    steps: Mapping[str, tuple[str, ...]]
    figures: tuple[FigurePath, ...]
    needs: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()

    def roles(self) -> tuple[str, ...]:
        """Return what it asks of the user, in the order in which it is needed."""
        named = (name for command in self.steps.values() for name in placeholders(command))
        return tuple(name for name in dict.fromkeys(named) if name in ROLES)


def placeholders(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that a command leaves open."""
    return tuple(name for argument in command for name in _PLACEHOLDER.findall(argument))


def fill(argument: str, given: Mapping[str, str]) -> str:
    """Return an argument with its names replaced."""
    return _PLACEHOLDER.sub(lambda match: given[match[1]], argument)


@cache
def list_protocols() -> tuple[Protocol, ...]:
    """Return the packaged protocols by the number of their first experiment."""
    folder = files("homogaudit.protocols").joinpath("published")
    found = [
        _parse(tomllib.loads(file.read_text(encoding="utf-8")), file.name.removesuffix(".toml"))
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    ]
    return tuple(sorted(found, key=lambda protocol: (protocol.experiments, protocol.name)))


def read_protocol(name: str) -> Protocol:
    """Return the protocol of a name, or of an experiment's number.

    Raises:
        UsageError: There is none.
    """
    protocols = list_protocols()
    for protocol in protocols:
        if name == protocol.name or (name.isdigit() and int(name) in protocol.experiments):
            return protocol
    names = [protocol.name for protocol in protocols]
    raise UsageError(f"no protocol `{name}`", did_you_mean(name, names, "`homogaudit protocol list` names them"))


def _parse(values: dict[str, Any], name: str) -> Protocol:
    """Return the protocol that a file holds.

    Raises:
        ValueError: It is none: a key is missing or unknown, or a name in it stands for nothing.
    """
    protocol = from_values(Protocol, {"name": name, **values})
    known = {*ROLES, "questions"}
    for step, command in protocol.steps.items():
        if unknown := set(placeholders(command)) - known:
            raise ValueError(f"`{name}`: step `{step}` names `{unknown.pop()}`, which is no earlier step")
        known.add(step)
    for figure in protocol.figures:
        if figure.step not in protocol.steps:
            raise ValueError(f"`{name}`: figure `{figure.name}` is of no step `{figure.step}`")
    return protocol
