"""The page of a comparison in a browser: columns, search, filters, themes, a phone. It needs Debian's `chromium`."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from homogaudit.comparison.build import compare_paired
from homogaudit.comparison.page import comparison_page
from homogaudit.comparison.pairing import pair_runs
from homogaudit.records import Question
from homogaudit.report.json import to_json
from homogaudit.report.run_data import RunData

from ..report.chromium import CONTRASTS, Page, browser, find_chromium
from .conftest import Told, many, one

HOSTILE = "</script><img src=x onerror='document.title=1'> <b>bold</b>"
SHOWN = "[...document.querySelectorAll('.question')]"
NUMBERS = f"{SHOWN}.map(x => +x.querySelector('.number').textContent)"
FIRST = f"[...{SHOWN}[0].querySelectorAll('summary .column')]"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One browser for all tests here."""
    if find_chromium() is None:
        pytest.skip("no Chromium; Debian's package is `chromium`, or name one in HOMOGAUDIT_CHROMIUM")
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(make: Callable[..., RunData], chromium: Page, tmp_path: Path) -> Iterator[Page]:
    """Three runs of six questions: 4 flips to one in `dpo`, 2 back in `sft`, 3 and 4 change their labels."""
    categories = ["odd <i>" if at % 2 else "even" for at in range(1, 7)]
    asked = [Question(f"q{at}", f"Question {at}?", category) for at, category in enumerate(categories, 1)]
    asked[4] = replace(asked[4], text=HOSTILE)

    def told(samples: dict[int, list[str]], wrong: set[int]) -> list[Told]:
        return [
            Told(samples.get(at, many()), "incorrect" if at in wrong else "correct", question=question)
            for at, question in enumerate(asked, 1)
        ]

    runs = [
        make("base", told({2: one(), 5: [HOSTILE, HOSTILE, "turned \u202eback", "turned \u202eback"]}, {3})),
        make("sft", told({}, {3})),
        make("dpo", told({2: one(), 4: ["Paris now", "Paris now", "paris now", "Paris now"]}, {4})),
    ]
    paired = pair_runs(runs)
    found = compare_paired(paired, full=True, draws=100)
    path = tmp_path / "comparison.html"
    path.write_text("".join(comparison_page(found, paired)), encoding="utf-8")
    chromium.errors.clear()
    chromium.requests.clear()
    chromium.size(1280, 900)
    chromium.media(prefers_color_scheme="light")
    chromium.open(path)
    embedded = chromium.run("document.getElementById('report-json').textContent")
    assert json.loads(embedded) == json.loads(json.dumps(to_json(found)))
    yield chromium
    assert chromium.errors == []
    assert {x for x in chromium.requests if not x.startswith("blob:")} == {path.as_uri()}


def send(page: Page, control: str, value: str, event: str) -> None:
    script = f"x => {{ x.value = {json.dumps(value)}; x.dispatchEvent(new Event('{event}')); }}"
    page.run(f"({script})(document.getElementById('{control}'))")


def test_flipped_questions_come_first_with_the_runs_side_by_side(page: Page) -> None:
    assert page.run(NUMBERS) == [4, 2, 1, 3, 5, 6]
    assert page.run(f"{FIRST}.map(x => x.querySelector('.run').textContent)") == ["base *", "sft", "dpo"]
    assert page.run(f"{FIRST}.map(x => x.querySelector('.sized').textContent)") == [
        "4 clusters",
        "4 clusters",
        "1 clusterflipped to one",
    ]
    assert page.run(f"{FIRST}.map(x => x.querySelector('.said').textContent)") == ["correct", "correct", "incorrect"]
    # The commonest wording, and how many say the same in any wording.
    assert page.run(f"{FIRST}.map(x => x.querySelector('.most').textContent)") == [
        "1 of 4word0 other0",
        "1 of 4word0 other0",
        "4 of 4Paris now",
    ]
    # What flipped is told inside its own column, also where that is narrow.
    assert page.run(f"{FIRST}.filter(x => x.scrollWidth > x.clientWidth).length") == 0
    tops = page.run(f"{FIRST}.map(x => x.getBoundingClientRect().top)")
    assert len(set(tops)) == 1
    send(page, "sort", "file", "change")
    assert page.run(NUMBERS) == [1, 2, 3, 4, 5, 6]


def test_search_looks_into_every_run_and_filters_hold_together(page: Page) -> None:
    send(page, "search", "PARIS", "input")
    page.wait_for(f"{SHOWN}.length === 1")
    assert page.run(NUMBERS) == [4]
    send(page, "search", "", "input")
    page.wait_for(f"{SHOWN}.length === 6")
    buttons = page.run("[...document.querySelectorAll('[data-filter]')].map(x => x.textContent)")
    assert buttons == ["Flipped to one 1", "Flipped back 1", "Changed label 2"]
    press = "document.querySelector('[data-filter={}]').click()"
    page.run(press.format("from_one"))
    assert page.run(NUMBERS) == [2]
    page.run(press.format("from_one"))
    page.run(press.format("other_labels"))
    assert page.run(NUMBERS) == [4, 3]
    page.run(press.format("to_one"))
    assert page.run(NUMBERS) == [4]
    page.run(press.format("to_one"))
    send(page, "category", "odd <i>", "change")
    assert page.run(NUMBERS) == [3]


def test_a_question_opens_to_every_wording_of_every_run(page: Page) -> None:
    page.run(f"{SHOWN}[0].querySelector('summary').click()")
    page.wait_for("document.querySelectorAll('.inside').length === 1")
    titles = "x => [...x.querySelectorAll('h3')].map(y => y.textContent)"
    columns = page.run(f"[...document.querySelectorAll('.inside .column')].map({titles})")
    assert columns[2] == ["cluster 1: 4 of 4", "greedy answer"]
    assert columns[0] == [*(f"cluster {at}: 1 of 4" for at in range(1, 5)), "greedy answer"]
    items = "[...document.querySelectorAll('.inside .column')[2].querySelectorAll('li')].slice(0, 2)"
    assert page.run(f"{items}.map(x => x.textContent)") == ["3\u00d7Paris now", "paris now"]


def test_text_that_is_markup_stays_text(page: Page) -> None:
    page.run("document.getElementById('open').click()")
    assert page.run(f"{SHOWN}[4].querySelector('.asked').firstChild.textContent") == HOSTILE
    assert page.run(f"{SHOWN}[4].querySelector('.inside .answer').textContent") == HOSTILE
    assert "U+202E" in page.run(f"{SHOWN}[4].querySelector('.inside .column').textContent")
    assert page.run("document.querySelectorAll('main img, #questions b, #questions option i').length") == 0
    assert page.run("document.title") == "homogaudit comparison: base, sft, dpo"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_contrast_and_nothing_is_wider_than_a_phone(page: Page, theme: str) -> None:
    page.media(prefers_color_scheme=theme)
    page.run("document.getElementById('open').click()")
    assert page.run(CONTRASTS) == {}
    page.size(390, 844, phone=True)
    page.run("document.querySelectorAll('main > section').forEach(x => { x.style.contentVisibility = 'visible'; })")
    assert page.run("[document.documentElement.scrollWidth, innerWidth]") == [390, 390]
    # One run stands below the other.
    assert page.run(f"new Set({FIRST}.map(x => x.getBoundingClientRect().left)).size") == 1
