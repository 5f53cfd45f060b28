"""The page in a browser: search, filters, explanations, themes, a phone, paper. It needs Debian's `chromium`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homogaudit.launch.cluster_labels import read_cluster_labels
from homogaudit.records import Question
from homogaudit.report.build import build
from homogaudit.report.cluster_sample import sample_clusters
from homogaudit.report.html import run_page
from homogaudit.report.json import to_json
from homogaudit.report.run_data import read_run
from homogaudit.store import RunFile

from .chromium import CONTRASTS, Page, browser, find_chromium
from .conftest import RunBuilder

HOSTILE = "</script><img src=x onerror='document.title=1'> <b>bold</b>"
SHOWN = "[...document.querySelectorAll('.question')]"
NUMBERS = f"{SHOWN}.map(x => +x.querySelector('.number').textContent)"


@pytest.fixture(scope="module")
def report_page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Sixty questions; those of even number form one cluster, every third is wrong."""
    folder = tmp_path_factory.mktemp("page")
    texts = [f"Question {number} about {'rivers' if number < 10 else 'stars'}?" for number in range(60)]
    texts[7] = HOSTILE
    questions = [
        Question(f"q{n}", text, "odd <i>" if n % 2 else "even", (f"right {n}",)) for n, text in enumerate(texts)
    ]
    builder = RunBuilder(folder / "page.audit", questions)
    for number in range(60):
        builder.draw(number, [f"sample {number}", f"Sample {number}", "turned \u202eback"], greedy=f"greedy {number}")
    builder.cluster({number: (0, 0, 0) if number % 2 == 0 else (0, 0, 1) for number in range(60)})
    builder.label({number: "incorrect" if number % 3 == 0 else "correct" for number in range(60)})
    builder.signal("token_entropy_mean", {number: (number * 7 % 60) / 10 for number in range(60)})
    with builder.score() as run:
        report = build(run, draws=100)
        (folder / "page.html").write_text("".join(run_page(report, read_run(run))), encoding="utf-8")
    return folder / "page.html", to_json(report)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One browser for all tests here."""
    if find_chromium() is None:
        pytest.skip("no Chromium; Debian's package is `chromium`, or name one in HOMOGAUDIT_CHROMIUM")
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(chromium: Page, report_page: tuple[Path, Any]) -> Iterator[Page]:
    """The page as it opens on a desk; whatever a test did with it, nothing may have gone wrong."""
    chromium.errors.clear()
    chromium.requests.clear()
    chromium.size(1280, 900)
    chromium.media(prefers_color_scheme="light")
    chromium.open(report_page[0])
    yield chromium
    assert chromium.errors == []
    assert {x for x in chromium.requests if not x.startswith("blob:")} == {report_page[0].as_uri()}


def type_in(page: Page, text: str) -> None:
    send(page, "search", text, "input")


def choose(page: Page, control: str, value: str) -> None:
    send(page, control, value, "change")


def send(page: Page, control: str, value: str, event: str) -> None:
    script = f"x => {{ x.value = {json.dumps(value)}; x.dispatchEvent(new Event('{event}')); }}"
    page.run(f"({script})(document.getElementById('{control}'))")


def test_it_draws_the_first_questions_and_more_when_asked(page: Page) -> None:
    assert page.run(NUMBERS) == list(range(1, 51))
    assert page.run("document.querySelectorAll('.inside').length") == 0
    page.run("document.getElementById('more').click()")
    assert page.run(NUMBERS) == list(range(1, 61))
    assert page.run("document.getElementById('more').checkVisibility()") is False


def test_search_finds_words_of_questions_and_answers(page: Page) -> None:
    type_in(page, "RIVERS question")
    page.wait_for(f"{SHOWN}.length === 9")
    assert page.run(NUMBERS) == [1, 2, 3, 4, 5, 6, 7, 9, 10]
    type_in(page, "greedy 42")
    page.wait_for(f"{SHOWN}.length === 1")
    assert page.run("document.getElementById('shown').textContent").startswith("1 of 60")
    type_in(page, "nothing says this")
    page.wait_for(f"{SHOWN}.length === 0")


def test_filters_hold_together(page: Page) -> None:
    press = "document.querySelector('[data-filter={}]').click()"
    page.run(press.format("one_cluster"))
    assert page.run(f"{NUMBERS}.every(x => x % 2 === 1)") and page.run(f"{SHOWN}.length") == 30
    page.run(press.format("wrong"))
    assert page.run(NUMBERS) == list(range(1, 61, 6))
    assert page.run("document.querySelector('[data-filter=wrong]').ariaPressed") == "true"
    choose(page, "category", "odd <i>")
    assert page.run(f"{SHOWN}.length") == 0
    page.run(press.format("one_cluster"))
    assert page.run(NUMBERS) == list(range(4, 61, 6))


def test_questions_are_sorted_by_clusters_and_by_a_signal(page: Page) -> None:
    choose(page, "sort", "most")
    # Equal ones stay in the order of the file.
    assert page.run(NUMBERS)[:31] == [*range(2, 61, 2), 1]
    choose(page, "sort", "signal:0")
    by_signal = sorted(range(60), key=lambda number: -(number * 7 % 60))
    assert page.run(NUMBERS)[:20] == [number + 1 for number in by_signal][:20]


def test_a_sentence_leads_to_its_questions(page: Page) -> None:
    page.run("document.querySelector('a.more[href=\"#questions/missed\"]').click()")
    page.wait_for(f"{SHOWN}.length === 10")
    assert page.run(NUMBERS) == list(range(1, 61, 6))
    assert page.run("document.querySelector('[data-filter=missed]').ariaPressed") == "true"


def test_a_question_opens_to_its_clusters_and_answers(page: Page) -> None:
    page.run(f"{SHOWN}[1].querySelector('summary').click()")
    page.wait_for("document.querySelectorAll('.inside').length === 1")
    titles = page.run("[...document.querySelectorAll('.inside h3')].map(x => x.textContent)")
    assert titles == ["cluster 1: 2 of 3", "cluster 2: 1 of 3", "greedy answer", "correct by the question file"]
    answers = page.run("[...document.querySelectorAll('.inside .answer')].map(x => x.textContent)")
    # What would turn the writing direction is told by its number.
    assert answers == ["sample 1", "Sample 1", "turned U+202Eback", "greedy 1", "right 1"]


def test_text_that_is_markup_stays_text(page: Page) -> None:
    assert page.run(f"{SHOWN}[7].querySelector('.asked').firstChild.textContent") == HOSTILE
    assert page.run("document.querySelectorAll('#questions img, #questions b, #questions option i').length") == 0
    assert page.run("document.title") == "homogaudit report: tiny-model"


def test_the_keyboard_reaches_an_explanation_and_comes_back(page: Page) -> None:
    page.run("document.querySelector('#homogenization table a.term').focus()")
    term = page.run("document.activeElement.textContent")
    page.press("Enter", 13)
    page.wait_for("document.getElementById('popover').matches(':popover-open')")
    assert page.run("document.querySelector('#popover dt').textContent") == term
    assert page.run("document.getElementById('popover').contains(document.activeElement)")
    page.press("Escape", 27)
    page.wait_for("!document.getElementById('popover').matches(':popover-open')")
    assert page.run("document.activeElement.textContent") == term


def test_dark_follows_the_system_and_the_switch(page: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.run(background)
    page.media(prefers_color_scheme="dark")
    dark = page.run(background)
    assert dark != light
    page.run("document.getElementById('theme').click()")
    assert page.run(background) == light
    page.media(prefers_color_scheme="light")
    page.run("document.getElementById('theme').click()")
    assert page.run(background) == dark


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_aa_asks(page: Page, theme: str) -> None:
    page.media(prefers_color_scheme=theme)
    page.run(f"{SHOWN}[1].open = true")
    page.run("document.querySelector('[data-filter=wrong]').click()")
    assert page.run(CONTRASTS) == {}


def test_nothing_is_wider_than_a_phone(page: Page, report_page: tuple[Path, Any]) -> None:
    page.size(390, 844, phone=True)
    page.open(report_page[0])
    page.run("document.getElementById('open').click()")
    page.run("document.querySelectorAll('main > section').forEach(x => { x.style.contentVisibility = 'visible'; })")
    assert page.run("[document.documentElement.scrollWidth, innerWidth]") == [390, 390]
    assert page.run("document.querySelector('.contents details').open") is False


def test_paper_holds_the_questions_listed_and_no_controls(page: Page) -> None:
    assert page.pdf().startswith(b"%PDF-")
    # Printing drew those that were not drawn yet.
    assert page.run(f"{SHOWN}.length") == 60
    page.run("document.querySelector('[data-filter=missed]').click()")
    page.pdf()
    assert page.run(f"{SHOWN}.length") == 10
    page.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    try:
        controls = ["#controls", ".top", ".contents", "#more", "#open", ".ask", "#data", "#judge"]
        seen = f"{json.dumps(controls)}.filter(x => document.querySelector(x).checkVisibility())"
        assert page.run(seen) == []
        assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    finally:
        page.call("Emulation.setEmulatedMedia", media="")


def test_the_report_can_be_saved_as_json(page: Page, report_page: tuple[Path, Any], tmp_path: Path) -> None:
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.run("document.getElementById('download').click()")
    saved = tmp_path / "report.json"
    page.wait_for_file(saved)
    assert json.loads(saved.read_text(encoding="utf-8")) == json.loads(json.dumps(report_page[1]))


def test_questions_are_judged_by_keys_and_buttons_and_saved_as_a_file_of_labels(
    page: Page, report_page: tuple[Path, Any], tmp_path: Path
) -> None:
    with RunFile.open(report_page[0].with_suffix(".audit")) as run:
        sample = sample_clusters(read_run(run))
        assert len(sample) == 60
        page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        page.run("document.getElementById('judge-begin').click()")
        shown = "document.getElementById('judge-question').textContent"
        assert page.run(shown) == sample[0].question
        answers = page.run("[...document.querySelectorAll('#judge-answers .answer')].map(x => x.textContent)")
        assert answers == [x.replace("\u202e", "U+202E") for x in sample[0].answers]
        page.press("y", 89)
        page.press("n", 78)
        page.press("u", 85)
        assert page.run(shown) == sample[1].question
        for _ in range(29):
            page.press("n", 78)
        page.run("for (let left = 20; left; left--) document.getElementById('judge-yes').click()")
        page.press("Escape", 27)
        assert page.run("document.getElementById('judging').open") is False
        said = page.run("document.getElementById('judge-done').textContent")
        assert said == "50 of 60 judged: 21 one meaning, 29 several"
        page.run("document.getElementById('judge-save').click()")
        saved = tmp_path / "labels.jsonl"
        page.wait_for_file(saved)
        labels = read_cluster_labels(saved, run)
    assert list(labels.items()) == [(x.id, place == 0 or place > 29) for place, x in enumerate(sample) if place < 50]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_dialog_that_asks_for_labels_has_contrast_and_fits_a_phone(
    page: Page, report_page: tuple[Path, Any], theme: str
) -> None:
    page.size(390, 844, phone=True)
    page.media(prefers_color_scheme=theme)
    page.open(report_page[0])
    page.run("document.getElementById('judge-begin').click()")
    assert page.run("document.getElementById('judge-yes').checkVisibility()")
    assert page.run("document.documentElement.scrollWidth") == 390
    assert page.run("document.getElementById('judging').scrollWidth") <= 390
    assert (
        page.run("Math.max(...[...document.querySelectorAll('#judging *')].map(x => x.getBoundingClientRect().right))")
        <= 390
    )
    assert page.run(CONTRASTS) == {}
