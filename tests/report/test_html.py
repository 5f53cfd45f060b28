"""The page as text: what it holds, that it needs nothing else, and that text of others stays text."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from importlib import import_module
from itertools import pairwise
from typing import Any

import pytest

from homogaudit.records import ClusteringMethod, Label, LabelValue, Question
from homogaudit.report.build import build
from homogaudit.report.glossary import lookup_all
from homogaudit.report.html import report_page
from homogaudit.report.html.plots import curves_svg, heat_map_svg, mark_svg, scale_svg
from homogaudit.report.html.questions import question_data
from homogaudit.report.json import to_json
from homogaudit.report.layout import sections
from homogaudit.report.question_rows import Questions, question_rows
from homogaudit.report.records import Report
from homogaudit.report.run_data import read_run
from homogaudit.report.section import Axis, Bar, Curve, Curves, HeatMap, Line, Span, Table
from homogaudit.report.summary import summary

HOSTILE = "</script><img src=x onerror=alert(1)> & \"quoted\" 'so' `<b>` \u202egnp.exe\u202c \x07"


class Parsed(HTMLParser):
    """Tags with their attributes, ids, and the text outside and inside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.raw: list[tuple[dict[str, str | None], str]] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = tag
            self.raw.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""
        if tag in ("td", "th", "p", "li", "dt", "summary", "h1", "h2", "title", "desc"):
            self.text += "\n"

    def handle_data(self, data: str) -> None:
        if self._inside:
            attributes, text = self.raw[-1]
            self.raw[-1] = (attributes, text + data)
        else:
            self.text += data

    @property
    def ids(self) -> list[str]:
        """The ids of all elements."""
        return [found for _, attributes in self.tags if (found := attributes.get("id"))]

    def embedded(self, name: str) -> Any:
        """Return the JSON of a data block."""
        return next(json.loads(text) for attributes, text in self.raw if attributes.get("id") == name)


def to_html(report: Report, questions: Questions) -> str:
    return "".join(report_page(report, questions))


def questions_of(run: Any) -> Questions:
    return question_rows(read_run(run))


@pytest.fixture
def report(small_run: Any) -> Report:
    return build(small_run, draws=100, full=True)


@pytest.fixture
def page(report: Report, small_run: Any) -> str:
    return to_html(report, questions_of(small_run))


@pytest.fixture
def hostile_run(build_run: Callable[..., Any]) -> Any:
    """One question whose every text wants to be markup."""
    builder = build_run([Question("q0", HOSTILE, HOSTILE, (HOSTILE,), (HOSTILE,))], name=HOSTILE, source=HOSTILE)
    builder.draw(0, [HOSTILE, HOSTILE, "b"], greedy=HOSTILE)
    builder.label({0: "incorrect"}, HOSTILE)
    builder.signal(HOSTILE, {0: 0.5})
    return builder.score(judge=HOSTILE)


def test_the_summary_comes_first_and_every_section_follows(page: str, report: Report) -> None:
    parsed = Parsed(page)
    found = [attributes["id"] for tag, attributes in parsed.tags if tag == "section"]
    assert found == ["summary", *(section.key for section in sections(report)), "questions", "glossary", "data"]


def test_every_line_and_cell_of_every_section_is_there(page: str, report: Report) -> None:
    text = " ".join(Parsed(page).text.split())
    for section in (summary(report), *sections(report)):
        assert section.title in text
        for part in section.parts:
            shown = [part.text] if isinstance(part, Line) else [part.title]
            if isinstance(part, Table):
                shown += [cell for row in part.rows for cell in (*row.cells, row.reason)]
            for words in shown:
                assert words.replace("`", "") in text


def test_headings_are_in_order_below_one_title(page: str) -> None:
    levels = [int(tag[1]) for tag, _ in Parsed(page).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_link_leads_somewhere_on_the_page(page: str) -> None:
    parsed = Parsed(page)
    assert len(parsed.ids) == len(set(parsed.ids))
    links = [attributes["href"] for tag, attributes in parsed.tags if tag == "a"]
    assert len(links) > 50
    for link in links:
        assert link is not None and link[1:].partition("/")[0] in parsed.ids, link


def test_every_term_of_every_section_is_explained_on_the_page(page: str, report: Report) -> None:
    text = " ".join(Parsed(page).text.split())
    named = {section.term for section in sections(report)}
    for section in sections(report):
        for part in section.parts:
            if isinstance(part, Table):
                named |= {column.term for column in part.columns if column.term} | {row.term for row in part.rows}
            else:
                named.add(part.term)
    explained = lookup_all(named)
    assert explained.keys() == named
    for term in explained.values():
        assert " ".join(term.definition.split()) in text


def test_a_line_leads_to_the_questions_that_it_speaks_of(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["a", "b", "c"])
    builder.cluster({position: (0, 0, 0) if position < 3 else (0, 1, 1) for position in range(12)})
    builder.label({position: "incorrect" if position < 6 else "correct" for position in range(12)})
    run = builder.score(ClusteringMethod("jaccard", "single", 0.4))
    page = to_html(build(run, draws=100), questions_of(run))
    # Three of the six wrong answers have one cluster.
    assert '<a class="more" href="#questions/missed">3 questions</a>' in page


def test_every_table_has_a_name(page: str) -> None:
    parsed = Parsed(page)
    tables = [number for number, (tag, _) in enumerate(parsed.tags) if tag == "table"]
    assert len(tables) > 15
    for number in tables:
        attributes = parsed.tags[number][1]
        named = attributes.get("aria-labelledby") in parsed.ids or attributes.get("aria-label")
        assert named or parsed.tags[number + 1][0] == "caption"


def test_tables_name_their_columns_and_rows_to_those_who_do_not_see_them(page: str) -> None:
    headings = [attributes for tag, attributes in Parsed(page).tags if tag == "th"]
    unnamed = [attributes for attributes in headings if attributes.get("scope") not in ("col", "row")]
    # The heading over drawn intervals is hidden text beside an axis.
    assert unnamed and all(attributes == {"class": "drawn"} for attributes in unnamed)


def test_the_security_policy_allows_its_own_style_and_script_alone(page: str) -> None:
    parsed = Parsed(page)
    policy = next(x["content"] for _, x in parsed.tags if x.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and "unsafe" not in policy and "default-src 'none'" in policy
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    executed = [text for attributes, text in parsed.raw if "type" not in attributes]
    assert [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in executed] == allowed


def test_nothing_is_fetched_and_nothing_runs_from_an_attribute(page: str) -> None:
    for _, attributes in Parsed(page).tags:
        assert not {"src", "srcset", "style", "action"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))


def test_text_of_others_stays_text(hostile_run: Any) -> None:
    report = build(hostile_run, draws=100, full=True)
    parsed = Parsed(to_html(report, questions_of(hostile_run)))
    tags = [tag for tag, _ in parsed.tags]
    assert "img" not in tags and "b" not in tags and tags.count("script") == 3
    question = parsed.embedded("questions-json")["questions"][0]
    assert question["text"] == question["category"] == question["greedy"] == HOSTILE
    assert question["correct"] == question["incorrect"] == [HOSTILE]
    assert "onerror=alert(1)" in parsed.text


def test_what_turns_text_around_is_escaped_in_the_file(hostile_run: Any) -> None:
    page = to_html(build(hostile_run, draws=100), questions_of(hostile_run))
    assert not re.search("[\u202a-\u202e\x00-\x08\x7f-\x9f]", page)


def test_half_a_pair_is_no_reason_to_lose_the_page(small_run: Any, report: Report) -> None:
    found = questions_of(small_run)
    row = found.rows[0]
    draws = [replace(row.sample_set.samples[0], answer="half \ud83d"), *row.sample_set.samples[1:]]
    broken = replace(row, sample_set=replace(row.sample_set, samples=tuple(draws)))
    page = to_html(report, replace(found, rows=(broken, *found.rows[1:])))
    read = Parsed(page.encode().decode()).embedded("questions-json")
    assert read["questions"][0]["clusters"][0][0] == ["half \ud83d", 1]


def test_of_too_many_questions_some_are_listed_spread_over_the_file(
    small_run: Any, report: Report, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Parsed(page).embedded("questions-json")["questions"]
    assert "spread evenly" not in page
    size = sum(len(json.dumps(question, separators=(",", ":"))) for question in whole)
    monkeypatch.setattr(import_module("homogaudit.report.html.page"), "_MOST_EMBEDDED", size // 2)
    cut = to_html(report, questions_of(small_run))
    listed = Parsed(cut).embedded("questions-json")["questions"]
    half = len(whole) // 2
    assert len(listed) in (half - 1, half)
    assert [question["number"] for question in listed] == [
        len(whole) * x // len(listed) + 1 for x in range(len(listed))
    ]
    assert all(question == whole[question["number"] - 1] for question in listed)
    assert f"{len(listed)} of {len(whole)} questions are listed" in cut


def test_a_page_comes_in_parts_none_of_which_holds_two_questions(small_run: Any, report: Report) -> None:
    questions = questions_of(small_run)
    # Ids that stand in no answer.
    rows = [replace(row.sample_set.question, id=f"id-{row.position}-") for row in questions]
    sets = [replace(row.sample_set, question=x) for row, x in zip(questions, rows, strict=True)]
    named = tuple(replace(row, sample_set=x) for row, x in zip(questions, sets, strict=True))
    parts = list(report_page(report, replace(questions, rows=named)))
    held = [sum(f'"id-{row.position}-"' in part for row in named) for part in parts]
    assert (max(held), sum(held)) == (1, len(questions))


def test_the_whole_report_is_in_the_page_as_json(page: str, report: Report) -> None:
    assert Parsed(page).embedded("report-json") == json.loads(json.dumps(to_json(report)))


def test_answers_stand_in_their_clusters_the_largest_first(build_run: Callable[..., Any]) -> None:
    builder = build_run(2, samples=4)
    builder.draw(0, ["Rome", "Paris", "paris", "Paris"])
    builder.draw(1, ["Rome", "", "Rome", "Bern"])
    builder.cluster({0: (0, 1, 1, 1), 1: (0, 0, 1)})
    builder.signal("token_entropy_mean", {0: 0.123456789})
    run = builder.score(*[], judge=None)
    data = Parsed(to_html(build(run, draws=100), questions_of(run))).embedded("questions-json")
    first, second = data["questions"]
    assert first["clusters"] == [[["Paris", 2], ["paris", 1]], [["Rome", 1]]]
    assert first["counts"] == [2] and first["signals"] == [0.123457] and first["without"] == []
    # A sample without an answer has no cluster; what was drawn in its place is shown.
    assert second["clusters"] == [[["Rome", 2]], [["Bern", 1]]]
    assert second["without"] == [["<think>no end", 1]]
    assert second["outside"] == "1 of 4 samples hold no answer"


def test_790_questions_of_ten_answers_take_less_than_five_megabytes(small_run: Any, report: Report) -> None:
    found = questions_of(small_run)
    row = found.rows[-1]

    def drawn(place: int) -> Any:
        # A hundred tokens are about four hundred characters; no two answers are equal, so none is told once for two.
        text = f"It is {place} because of %d. " + "words that go on and on, " * 15
        draws = [replace(row.samples[0], sample_index=number, answer=text % number) for number in range(10)]
        drawn_set = replace(row.sample_set, samples=tuple(draws))
        return replace(row, position=place, sample_set=drawn_set, assignments={"embedding": tuple(range(10))})

    page = to_html(report, replace(found, rows=tuple(drawn(place) for place in range(790))))
    assert 3_000_000 < len(page.encode()) < 5_000_000


def test_a_run_without_labels_or_samples_has_a_page(build_run: Callable[..., Any]) -> None:
    builder = build_run(2, samples=0)
    builder.draw(0, [])
    run = builder.score(judge=None, finish=False)
    parsed = Parsed(to_html(build(run, draws=100, full=True), questions_of(run)))
    assert [x["outside"] for x in parsed.embedded("questions-json")["questions"]] == [
        "the run holds no samples",
        "unfinished: no greedy answer",
    ]


def attribute(svg: str, kind: str, name: str) -> list[float]:
    """Return a numeric attribute of all elements of a class."""
    return [float(x) for x in re.findall(rf'<\w+ class="{kind}"[^>]* {name}="([-\d.]+)"', svg)]


def test_an_interval_is_drawn_where_its_axis_says() -> None:
    svg = str(scale_svg(Span(0.4, 0.35, 0.45), Axis(marks=(0.05, 0.2), percent=True, label="bounds"), "embedding"))
    # 380 units from 0 to 1, after a margin of 10.
    assert attribute(svg, "dot", "cx") == [162]
    assert attribute(svg, "interval", "x1") == [143] and attribute(svg, "interval", "x2") == [181]
    assert attribute(svg, "tick", "x1") == [29, 86]
    assert "<title>embedding</title><desc>bounds</desc>" in svg and 'role="img"' in svg
    assert re.findall(">([^<>]+)</text>", svg) == ["5%", "20%", "100%"]


def test_a_value_outside_its_axis_is_drawn_at_the_nearer_end() -> None:
    svg = str(mark_svg(Span(1.4, None, None), Axis()))
    assert attribute(svg, "dot", "cx") == [150] and "interval" not in svg


def test_a_bar_is_as_long_as_its_share() -> None:
    assert attribute(str(mark_svg(Bar(0.25), None)), "bar", "width") == [40]


def test_curves_are_drawn_between_round_values() -> None:
    curves = (Curve("a", (0.0, 1.0), (0.0, 1.0), (0.0, 0.9), (0.1, 1.0)), Curve("b", (0.5,), (0.5,)))
    svg = str(curves_svg(Curves("title", "threshold", curves, "x", x_percent=True, y_marks=(0.5,))))
    # x from 40 to 388, y from 204 up to 10.
    assert re.findall('<polyline class="curve c0" points="([^"]*)"', svg) == ["40,204 388,10"]
    assert re.findall('<polygon class="band c0" points="([^"]*)"', svg) == ["40,184.6 388,10 388,29.4 40,204"]
    assert attribute(svg, "point c1", "cx") == [214] and attribute(svg, "point c1", "cy") == [107]
    assert re.findall(">([^<>]+)</text>", svg)[:6] == ["0%", "20%", "40%", "60%", "80%", "100%"]


def test_a_heat_map_says_its_values_and_where_there_is_none() -> None:
    svg = str(heat_map_svg(HeatMap("title", "spearman", ("B1", "B2"), ((1.0, None), (-0.5, 1.0)))))
    assert re.findall('class="value"[^>]*>([^<]*)<', svg) == ["1.00", "-", "-0.50", "1.00"]
    assert re.findall('class="cell (\\w+)"', svg) == ["plus", "none", "minus", "plus"]


def test_every_label_stands_with_its_reason_beside_its_answer(build_run: Callable[..., Any]) -> None:
    builder = build_run(1, samples=3)
    builder.draw(0, ["Rome.", "Rome.", "Paris."], greedy="Paris.")
    builder.cluster({0: (0, 0, 1)})
    builder.run.add_labels(
        [
            Label("q0", "exact", LabelValue.CORRECT, "`Paris` is a reference"),
            Label("q0", "exact", LabelValue.INCORRECT, "holds none", 0),
            Label("q0", "exact", LabelValue.INCORRECT, "holds none", 1),
            Label("q0", "exact", LabelValue.CORRECT, "`Paris` is a reference", 2),
        ]
    )
    (question,) = question_data(questions_of(builder.score(ClusteringMethod("jaccard", "single", 0.4))))["questions"]
    assert (question["label"], question["reason"]) == ("correct", "`Paris` is a reference")
    assert question["clusters"] == [
        [["Rome.", 2, "incorrect", "holds none"]],
        [["Paris.", 1, "correct", "`Paris` is a reference"]],
    ]
