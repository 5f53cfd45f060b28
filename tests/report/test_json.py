import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from homogaudit.records import ClusteringMethod
from homogaudit.report.build import build
from homogaudit.report.json import dumps, from_json, schema, to_json
from homogaudit.report.schema import generate
from homogaudit.store.run_file import RunFile

JACCARD = ClusteringMethod("jaccard", "single", 0.4)


def check(report: Any) -> dict[str, Any]:
    """Validate a report against the schema and return its JSON as another program reads it."""
    document = json.loads(dumps(report))
    Draft202012Validator(schema()).validate(document)
    return document


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a schema that describes a JSON object by its properties."""
    if isinstance(value, dict):
        if "properties" in value:
            yield value
        for item in value.values():
            yield from objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from objects(item)


def test_the_shipped_schema_is_the_one_of_the_records() -> None:
    # `python -m homogaudit.report.schema` writes it.
    assert schema() == generate()


def test_the_schema_says_which_words_a_field_may_hold_and_where_a_number_lies() -> None:
    described = schema()["$defs"]
    assert described["MethodFigures"]["properties"]["level"]["enum"] == [
        "none",
        "at most mild",
        "mild",
        "at least mild",
        "severe",
        "undecided",
        "not judged",
    ]
    assert described["Verdict"]["properties"]["level"]["enum"][-1] == "invalid"
    assert described["RunFacts"]["properties"]["status"]["enum"] == ["started", "complete"]
    limits = {"type": "number", "minimum": 0, "maximum": 1}
    assert limits.items() <= described["Rate"]["properties"]["value"].items()
    assert described["Rate"]["properties"]["value"]["description"] == "k / n."
    assert described["Undefined"]["properties"]["value"]["type"] == "null"


def test_the_schema_is_a_schema_and_closed() -> None:
    Draft202012Validator.check_schema(schema())
    described = list(objects(schema()))
    assert len(described) > 10
    for part in described:
        assert part["additionalProperties"] is False
        assert set(part["required"]) == set(part["properties"])


def test_a_finished_run_is_valid_json(small_run: RunFile) -> None:
    document = check(build(small_run, draws=100))
    assert document["schema"] == "homogaudit.report/2"
    assert document["homogenization"]["methods"]["jaccard"]["scr"]["n"] == 12
    assert document["signals"]["token_entropy_mean"]["cost"]["cost_class"] == "free"
    assert document["signals"]["perplexity"]["auroc"] == {
        "value": None,
        "reason": "log-probabilities were not recorded",
    }


def test_an_unfinished_run_is_valid_json(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    builder.draw(0, ["a", "b", "c"])
    document = check(build(builder.run, draws=100))
    assert document["run"]["status"] == "started"
    assert document["validity"]["questions_unfinished"] == 11


def test_a_run_with_nothing_drawn_is_valid_json(build_run: Callable[..., Any]) -> None:
    assert check(build(build_run(3).run, draws=100))["verdict"]["level"] == "not judged"


def test_an_invalid_run_is_valid_json(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["a", "", ""])
    document = check(build(builder.score(JACCARD), draws=100))
    assert document["verdict"]["level"] == "invalid"
    assert document["homogenization"]["methods"]["jaccard"]["scr"]["value"] is None


def test_a_run_without_labels_is_valid_json(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["a", "b", "c"])
    builder.cluster(dict.fromkeys(range(12), (0, 1, 2)))
    builder.signal("token_entropy_mean", {position: 1.0 for position in range(12)})
    document = check(build(builder.score(JACCARD, judge=None), draws=100))
    assert document["labels"]["judge"] is None
    assert document["labels"]["accuracy"]["value"] is None
    assert document["signals"]["token_entropy_mean"]["auroc"]["value"] is None


@pytest.mark.parametrize("correct", [0, 1, 2, 12])
def test_a_run_with_hardly_a_second_class_is_valid_json(build_run: Callable[..., Any], correct: int) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["a", "b", "c"])
    builder.label({position: "correct" if position < correct else "incorrect" for position in range(12)})
    builder.signal("token_entropy_mean", {position: float(position % 5) for position in range(12)})
    check(build(builder.score(), draws=100))


def test_the_phases_of_a_run_are_times_and_shares(small_run: RunFile) -> None:
    # As in a run file of version 0.1.0.
    assert check(build(small_run, draws=100))["run"]["phases"] == {
        "value": None,
        "reason": "no session measured its phases",
    }
    small_run.phases = {"decode": 4.0, "other": 1.999, "embedding": 2.0, "judging": 0.001}
    # What rounds to nothing of 8 s is among the others.
    assert check(build(small_run, draws=100))["run"]["phases"] == {
        "decode": {"seconds": 4.0, "share": pytest.approx(0.5)},
        "embedding": {"seconds": 2.0, "share": pytest.approx(0.25)},
        "other": {"seconds": pytest.approx(2.0), "share": pytest.approx(0.25)},
    }


def test_facts_of_the_run_come_from_its_sessions(small_run: RunFile) -> None:
    assert check(build(small_run, draws=100))["run"]["seconds"] == {
        "value": None,
        "reason": "no session measured its time",
    }
    first = small_run.begin_session("generate", 1, {})
    small_run.end_session(first, provenance={"device": "cpu", "versions": {"numpy": "1"}}, seconds=2.5)
    second = small_run.begin_session("score", 2, {})
    small_run.end_session(second, provenance={"versions": {"numpy": "2"}}, seconds=1.5)
    small_run.begin_session("score", 3, {})  # killed before anything was measured
    run = check(build(small_run, draws=100))["run"]
    assert (run["sessions"], run["seconds"]) == (3, 4.0)
    # Only the session that drew has a device; the newest one that ended has the versions.
    assert (run["device"], run["versions"]) == ("cpu", {"numpy": "2"})


def test_an_imported_run_is_valid_json(qwen_run: RunFile) -> None:
    document = check(build(qwen_run, draws=100))
    assert document["run"]["samples"] == 0
    assert document["signals"]["recorded:density"]["direction"] == -1


def test_what_a_run_file_brings_along_cannot_make_a_number_that_is_none(build_run: Callable[..., Any]) -> None:
    builder = build_run(1)
    builder.run.set_meta("parameters", {"decoding": {"samples": 1, "odd": math.nan}, "model": {"size": math.inf}})
    document = check(build(builder.run, draws=100))
    assert document["run"]["decoding"]["odd"] is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": "homogaudit.report/1"}, "not of the format `homogaudit.report/2`"),
        ({"labels": 3}, "`labels`: input should be a dictionary or an instance of Labels"),
        ({"more": 1}, "the key `more` is unknown"),
    ],
)
def test_what_is_no_report_of_this_format_is_refused_in_one_line(
    small_run: RunFile, change: dict[str, Any], reason: str
) -> None:
    values = to_json(build(small_run, draws=100))
    with pytest.raises(ValueError, match=reason) as caught:
        from_json(values | change)
    assert "\n" not in str(caught.value)


def test_no_number_is_nan_or_infinite(small_run: RunFile) -> None:
    numbers = [leaf for leaf in leaves(to_json(build(small_run, draws=100))) if isinstance(leaf, float)]
    assert numbers
    assert all(math.isfinite(number) for number in numbers)
