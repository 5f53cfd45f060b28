"""Sections as GitHub-flavoured Markdown: what others wrote cannot become a table cell, a link, HTML or code.

Curves and heat maps are left out: what they draw stands in tables.
"""

import re
from collections.abc import Iterable

from homogaudit.report.layout import sections
from homogaudit.report.records import Report
from homogaudit.report.section import Line, Section, Table
from homogaudit.report.summary import summary

_SPECIAL = re.compile(r"([\\`*_\[\]#~|$])")
_CODE = re.compile(r"(?<!`)`([^`\\<>&]+)`(?!`)")
"""A code span of harmless text; spans that touch are not taken for any, because their backticks would run together."""


def to_markdown(report: Report) -> str:
    """Return the report, the short one first."""
    return sections_to_markdown("homogaudit report", (summary(report), *sections(report)))


def sections_to_markdown(title: str, shown: Iterable[Section]) -> str:
    """Return sections one below the other under a title."""
    parts = [f"# {title}"]
    for section in shown:
        parts.append(f"## {escape(section.title)}")
        parts += [_line(part) if isinstance(part, Line) else _table(part) for part in _written(section)]
    return "\n\n".join(parts) + "\n"


def _written(section: Section) -> Iterable[Line | Table]:
    return (part for part in section.parts if isinstance(part, Line) or (isinstance(part, Table) and part.rows))


def _line(line: Line) -> str:
    label = "warning:" if line.tone == "warning" else line.label
    return f"- **{escape(label)}** {escape(line.text)}" if label else escape(line.text)


def escape(text: str) -> str:
    """Escape what Markdown or HTML would read as markup; what stands between backticks becomes code."""
    parts = _CODE.split(text)
    # Odd parts are what stood between backticks: a code span shows it as it is, but a bar still ends a table cell.
    return "".join(
        "`" + part.replace("|", "\\|") + "`" if number % 2 else _escape_words(part) for number, part in enumerate(parts)
    )


def _escape_words(text: str) -> str:
    html = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", html)


def _table(table: Table) -> str:
    rows = [tuple(column.name for column in table.columns), *(row.cells for row in table.rows)]
    lines = ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in rows]
    rule = "|".join(["---", *("---:" for _ in table.columns[1:])])
    title = f"**{escape(table.title)}**\n\n" if table.title else ""
    return title + "\n".join([lines[0], f"|{rule}|", *lines[1:]])
