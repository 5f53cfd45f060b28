"""The badge: level and rate, as an image that a screen reader reads too."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from homogaudit.report.badge import to_badge
from homogaudit.report.build import build
from homogaudit.report.records import Report

from .conftest import JACCARD

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def report(build_run: Callable[..., Any]) -> Report:
    builder = build_run(80)
    for position in range(80):
        builder.draw(position, ["one two"] * 3 if position < 60 else ["one two", "three four", "five six"])
    builder.cluster({n: (0, 0, 0) if n < 60 else (0, 1, 2) for n in range(80)})
    return build(builder.score(JACCARD), draws=50, sweeps=False)


def test_the_badge_has_level_and_rate_and_says_them_in_its_title(report: Report):
    root = ElementTree.fromstring(to_badge(report))
    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    title = root.find(f"{SVG}title")
    assert title is not None and title.text == "homogenization: severe, SCR 75.0%"
    assert root.get("aria-labelledby") == title.get("id")
    texts = root.findall(f".//{SVG}text")
    assert [x.text for x in texts] == ["homogenization", "severe, SCR 75.0%"]
    # Every text lies within the image.
    ends = [float(x.attrib["x"]) + float(x.attrib["textLength"]) for x in texts]
    assert max(ends) < float(root.attrib["width"])


@pytest.mark.parametrize("level", ["invalid", "not judged"])
def test_without_a_level_there_is_no_rate(report: Report, level: str):
    verdict = replace(report.verdict, level=level, level_reason="no samples")
    assert "SCR" not in to_badge(replace(report, verdict=verdict))
    assert f"homogenization: {level}</title>" in to_badge(replace(report, verdict=verdict))


def contrast(color: str) -> float:
    """Return the contrast with white as WCAG 2.1 defines it."""
    digits = color.lstrip("#")
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


@pytest.mark.parametrize("level", ["none", "mild", "severe"])
def test_white_letters_can_be_read_on_every_level(report: Report, level: str):
    verdict = replace(report.verdict, level=level)
    path = ElementTree.fromstring(to_badge(replace(report, verdict=verdict))).find(f"{SVG}path")
    assert path is not None and contrast(path.attrib["fill"]) >= 4.5
