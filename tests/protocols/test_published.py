"""Every packaged protocol: its commands can be typed, and its figures stand where it says."""

from pathlib import Path
from typing import Any

import pytest
import typer

import homogaudit
from homogaudit.cli.app import app
from homogaudit.comparison.schema import schema
from homogaudit.errors import UsageError
from homogaudit.protocols import Protocol, list_protocols, read_protocol
from homogaudit.protocols.paths import Step, steps
from homogaudit.protocols.protocol import ROLES, fill
from homogaudit.report.records import Report
from homogaudit.report.schema import generate
from homogaudit.signals.registry import SIGNALS
from homogaudit.sweep.records import Sweep

PROTOCOLS = pytest.mark.parametrize("protocol", list_protocols(), ids=lambda x: x.name)
SCHEMAS = {"report": generate(Report), "compare": schema(), "sweep": generate(Sweep, "sweep", 1)}
"""Of what each command prints."""


def is_described(schema: dict[str, Any], root: dict[str, Any], path: tuple[Step, ...]) -> bool:
    """Whether a schema has something at a path; a key of a mapping may be any."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if alternatives := schema.get("anyOf"):
        return any(is_described(one, root, path) for one in alternatives)
    if not path:
        return True
    step, *rest = path
    properties = schema.get("properties", {})
    found = schema.get("additionalProperties") if not properties else properties.get(step.key)
    if not isinstance(found, dict):
        return False
    if step.select is None:
        return is_described(found, root, tuple(rest))
    return is_list_described(found, root, step.select[0], tuple(rest))


def is_list_described(schema: dict[str, Any], root: dict[str, Any], key: str, rest: tuple[Step, ...]) -> bool:
    if alternatives := schema.get("anyOf"):
        return any(is_list_described(one, root, key, rest) for one in alternatives)
    items = schema.get("items", {})
    return is_described(items, root, steps(key)) and is_described(items, root, rest)


@PROTOCOLS
def test_every_figure_stands_in_what_its_command_prints(protocol: Protocol):
    for figure in protocol.figures:
        described = SCHEMAS[protocol.steps[figure.step][0]]
        path = steps(figure.path)
        assert is_described(described, described, path), figure.path
        if path[0].key == "signals" and path[1].key != "*":
            assert path[1].key.removeprefix("recorded:") in SIGNALS, figure.path


def test_a_path_that_no_report_has_is_found_out():
    described = SCHEMAS["report"]
    assert is_described(described, described, steps("homogenization.methods.jaccard.thresholds[threshold=0.4].scr"))
    for path in ("homogenization.method.jaccard", "labels.pairs[judges=a+b].kappa", "signals.x.auroc.valu"):
        assert not is_described(described, described, steps(path)), path


@PROTOCOLS
def test_every_command_can_be_typed(protocol: Protocol):
    given = {name: "x" for name in (*ROLES, "questions", *protocol.steps)}
    for command in protocol.steps.values():
        arguments = [fill(argument, given) for argument in command]
        found: Any = typer.main.get_command(app)
        context = None
        while True:
            context = found.make_context(found.name, list(arguments), parent=context)
            rest = [*context._protected_args, *context.args]
            if not hasattr(found, "commands"):
                break
            found, arguments = found.commands[rest[0]], rest[1:]


@PROTOCOLS
def test_every_published_figure_names_its_model_and_its_source(protocol: Protocol):
    assert protocol.figures
    for figure in protocol.figures:
        if figure.published is not None:
            assert figure.published.model and figure.published.source
            if figure.published.low is not None:
                assert figure.published.low <= figure.published.value <= figure.published.high


def test_a_protocol_is_found_by_its_name_and_by_its_number():
    assert read_protocol("domain-zones").experiments == (1,)
    assert read_protocol("1") is read_protocol("domain-zones")
    with pytest.raises(UsageError, match="no protocol `domain-zone`") as caught:
        read_protocol("domain-zone")
    assert caught.value.hint is not None and "`domain-zones`" in caught.value.hint


def test_the_guide_lists_every_protocol_with_its_number():
    guide = (Path(homogaudit.__file__).parent / "guides/protocols.md").read_text("utf-8")
    for protocol in list_protocols():
        assert f"| {', '.join(map(str, protocol.experiments))} | `{protocol.name}` |" in guide


def test_every_published_experiment_has_a_protocol():
    assert sorted(number for protocol in list_protocols() for number in protocol.experiments) == list(range(1, 29))
