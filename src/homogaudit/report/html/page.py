"""Sections, questions and glossary as one page; its template, stylesheet and script lie beside this module.

The page words nothing but its own controls. Text of others is escaped by the template, or stands in JSON that the
script shows as text; a strict content security policy allows no other script and no request.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain, islice
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from homogaudit import __version__
from homogaudit.codec import to_values
from homogaudit.errors import UsageError
from homogaudit.report.cluster_sample import SampledQuestion, sample_clusters
from homogaudit.report.glossary import lookup_all
from homogaudit.report.html import plots
from homogaudit.report.html.questions import question_data
from homogaudit.report.layout import sections
from homogaudit.report.numbers import MISSING, count, decimal, percent, threshold
from homogaudit.report.question_rows import Questions, question_rows
from homogaudit.report.records import FORMAT, Report
from homogaudit.report.run_data import RunData
from homogaudit.report.section import Curves, HeatMap, Section, Table
from homogaudit.report.summary import summary
from homogaudit.report.text import plain

_CODE = re.compile(r"`([^`]+)`")
_SHORT = 24
"""Characters of code that stay on one line, also on a phone."""
_PROSE = 40
"""Characters of a cell that are more than a name or a number."""
_UNSAFE = re.compile("[<>&\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]")
"""What is escaped in embedded JSON: what HTML could read as markup, and what turns or hides the text around it."""

_MOST_EMBEDDED = 128 << 20
"""Characters of the questions: half a gigabyte is more than browsers hold in one text, and nobody sends such a page."""


def run_page(report: Report, data: RunData, judge: str | None = None) -> Iterator[str]:
    """Return the parts of the page of a full report, with the questions of its run and those to be judged as a whole.

    Args:
        report: Of the run.
        data: Of the same run.
        judge: Whose labels are shown; `None` for the run's own.
    """
    try:
        sample = sample_clusters(data)
    except UsageError:
        # There are too few to correct a rate by.
        sample = ()
    return report_page(report, question_rows(data, judge), sample)


def report_page(report: Report, questions: Questions, sample: Sequence[SampledQuestion] = ()) -> Iterator[str]:
    """Return the parts of the page of a full report and its questions; each filter that holds of some is a button.

    Args:
        report: A full one.
        questions: Of its run.
        sample: Those that the reader may judge as a whole; without any the page does not ask.
    """
    return page(
        (summary(report), *sections(report)),
        question_data(questions),
        what="report",
        name=report.run.model,
        record=report,
        form=FORMAT,
        sample=sample,
    )


def page(
    shown: Sequence[Section],
    questions: Mapping[str, Any],
    *,
    what: str,
    name: str,
    record: object,
    form: str,
    sample: Sequence[SampledQuestion] = (),
) -> Iterator[str]:
    """Return a page of sections and questions in parts: with many questions it is larger than anything else in memory.

    Args:
        shown: The summary first.
        questions: What the script lists, and the filters that hold of some: as `question_data` gives them of a run, or
            those of several, each question with its `runs`. Of too many the page lists some, and says so.
        what: What the page is, `report` or another word for it.
        name: Of what it is about, its heading.
        record: What the sections are made of; the page holds it as JSON.
        form: The name of its format.
        sample: Questions that the reader may judge as a whole.
    """
    named = lookup_all({term: None for section in shown for term in section.terms()})
    glossary = {term.name: term for term in named.values()}
    questions_json, listed, left_out = _embedded_questions(questions)
    style, script = _resource("page.css"), _resource("page.js")
    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return made.from_string(_resource("page.html")).generate(
        plots=plots,
        coded=_coded,
        slug=_slug,
        written=_written,
        are_prose=_are_prose,
        count=count,
        summary=shown[0],
        sections=shown[1:],
        terms=named,
        glossary=sorted(glossary.values(), key=lambda term: term.name.casefold()),
        filters=questions["filters"],
        is_side_by_side="runs" in questions,
        what=what,
        name=plain(name),
        version=__version__,
        format=form,
        style=Markup(style),
        style_hash=_hash(style),
        script=Markup(script),
        script_hash=_hash(script),
        record_json=_embedded(to_values(record)),
        questions_json=questions_json,
        listed=listed,
        left_out=left_out,
        sampled=len(sample),
        sample_json=_embedded([x.row() for x in sample]),
    )


@cache
def _resource(name: str) -> str:
    return files("homogaudit.report.html").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what a content security policy calls an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(values: Any) -> Markup:
    """Return JSON that no browser takes for markup, and no editor shows turned around."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _embedded_questions(questions: Mapping[str, Any]) -> tuple[Iterator[Markup], int, int]:
    """Return the JSON of questions in parts, how many it has, and how many are left out because it would be too large.

    Those that stay are spread evenly over the file.
    """
    texts = [_embedded(question) for question in questions["questions"]]
    size = sum(map(len, texts))
    number = len(texts) if size <= _MOST_EMBEDDED else len(texts) * _MOST_EMBEDDED // size
    kept = (texts[place * len(texts) // number] for place in range(number))
    others = _embedded({name: value for name, value in questions.items() if name != "questions"})
    separated = (part for text in kept for part in (Markup(","), text))
    parts = chain([others[:-1], Markup(',"questions":[')], islice(separated, 1, None), [Markup("]}")])
    return parts, number, len(texts) - number


def _coded(text: str) -> Markup:
    """Escape a text; what stands between backticks becomes code, and is not broken where it is short."""
    parts = _CODE.split(text)
    # Odd parts are what stood between backticks.
    return Markup("").join(
        Markup('<code class="{}">{}</code>').format("short" if len(part) <= _SHORT else "", part)
        if number % 2
        else escape(part)
        for number, part in enumerate(parts)
    )


def _are_prose(table: Table) -> list[bool]:
    """Return whether each column of a table holds sentences, which are broken into lines."""
    return [any(len(row.cells[at]) > _PROSE for row in table.rows) for at in range(len(table.columns))]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold())


def _written(plot: Curves | HeatMap) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Return the headings and rows of the numbers behind a plot."""
    if isinstance(plot, HeatMap):
        rows = [
            (name, *(decimal(value, 2) for value in values))
            for name, values in zip(plot.names, plot.values, strict=True)
        ]
        return ("", *plot.names), rows
    points = [dict(zip(curve.x, curve.y, strict=True)) for curve in plot.curves]
    xs = sorted({x for known in points for x in known})
    rows = [
        (
            percent(x) if plot.x_percent else threshold(x),
            *(percent(known[x]) if x in known else MISSING for known in points),
        )
        for x in xs
    ]
    return (plot.x_label, *(curve.name for curve in plot.curves)), rows
