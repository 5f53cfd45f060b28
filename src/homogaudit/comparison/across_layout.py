"""The comparison of models with each other as lines of the short account and as a section."""

from collections.abc import Sequence

from homogaudit.comparison.across_records import Across, SharedAnswer
from homogaudit.report.numbers import count, decimal, interval, percent_and_interval, share
from homogaudit.report.parts import line, notes, record_table, text_table
from homogaudit.report.section import Column, HeatMap, Line, Part, Section
from homogaudit.report.text import shorten
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate

_SHOWN = 20
"""Questions of a kind that are shown; JSON has all."""
_LONGEST = 70
"""Characters of a question, and of an answer beside it."""


def across_lines(found: Across | Undefined) -> list[Line]:
    """Return the short account; nothing where it was not asked for."""
    if isinstance(found, Undefined):
        return []
    is_apart = found.excess.low is not None and found.excess.low > 0
    apart = "more alike within by" if is_apart else "not shown to be more alike within:"
    told = (
        f"Similarity {_estimate(found.similarity_between)} between models, "
        f"{_estimate(found.similarity_within)} within; {apart} {_estimate(found.excess)}."
    )
    same, one = percent_and_interval(found.same_leading_answer), percent_and_interval(found.one_answer)
    lines = [
        line(told, "excess", "" if is_apart else "bad", label="Across"),
        line(f"All lead with one answer on {same} of the questions, say only that on {one}.", "same_leading_answer"),
    ]
    errors = found.shared_errors
    if isinstance(errors, Undefined):
        return [*lines, line(f"Shared errors not known: {errors.reason}.", "shared_errors")]
    text = (
        f"All are wrong on {count(errors.n)} questions, and say the same on {share(errors.k, errors.n)} of them "
        f"({percent_and_interval(errors)})."
    )
    return [*lines, line(text, "shared_errors")]


def across_sections(found: Across | Undefined) -> tuple[Section, ...]:
    """Return the section on models against each other; nothing where it was not asked for."""
    if isinstance(found, Undefined):
        return ()
    names = tuple(found.runs)
    pairs = {f"{x.first} and {x.second}": x for x in found.pairs}
    first = Column("models", "run")
    values = {(x.first, x.second): x.similarity_between.value for x in found.pairs}
    values |= {(name, name): x.similarity_within.value for name, x in found.runs.items()}
    matrix = tuple(tuple(values.get((one, other), values.get((other, one))) for other in names) for one in names)
    similar = ("similarity_between", "similarity_between.interval")
    within = ("similarity_within", "similarity_within.interval")
    same = ("same_leading_answer", "same_leading_answer.interval", "same_leading_answer.of")
    errors = ("all_wrong", "shared_errors", "shared_errors.interval", "shared_errors.of")
    parts: list[Part] = [
        *across_lines(found),
        record_table(found.runs, Column("model", "run"), within, title="Within a model"),
        record_table(pairs, first, similar, title="Between models"),
        HeatMap("Similarity of answers", "similarity_between", names, matrix),
        record_table(pairs, first, same, title="The same leading answer"),
        record_table(pairs, first, errors, title="Wrong, and the same"),
        *_questions("All models say the same", "one_answer", found.same),
        *_questions("All models are wrong and say the same", "shared_errors", found.errors),
        *notes(
            (
                f"By stored embeddings ({found.embedder.partition('#')[0]}), the same from a cosine of "
                f"{found.threshold:g}; {count(found.questions)} questions with every answer in every run.",
            ),
            "similarity_between",
        ),
    ]
    return (Section("across", "Across models", "excess", tuple(parts)),)


def _questions(title: str, term: str, found: Sequence[SharedAnswer]) -> list[Part]:
    parts: list[Part] = [line(f"{title}: {count(len(found))} questions.", term)]
    if found:
        columns = (Column("question", term), Column("answer", "greedy"))
        rows = [(shorten(x.question, _LONGEST), shorten(x.answer, _LONGEST)) for x in found[:_SHOWN]]
        parts.append(text_table(columns, rows, term))
    if found[_SHOWN:]:
        parts.append(line(f"{count(len(found) - _SHOWN)} more in JSON.", term, "muted"))
    return parts


def _estimate(found: Estimate) -> str:
    bounds = "" if found.low is None else f" {interval(found.low, found.high)}"
    return f"{decimal(found.value)}{bounds}"
