"""The cascade, its policies and the pointer model as sections."""

from collections.abc import Iterable

from homogaudit.cascade.held_out import HeldOutValue
from homogaudit.cascade.policy import Policy
from homogaudit.cascade.published import PublishedProtocol
from homogaudit.report.cascade_policy import AppliedCascade
from homogaudit.report.cascade_records import CascadeFindings, CascadeStage, HeldOutCascade, Pointer
from homogaudit.report.numbers import (
    MISSING,
    count,
    decimal,
    decimal_and_interval,
    duration,
    interval,
    percent,
    percent_and_interval,
    share,
)
from homogaudit.report.parts import (
    AUROC_AXIS,
    INTERVAL,
    by_reason,
    figure_table,
    line,
    not_computed,
    notes,
    record_table,
    signal_term,
    text_table,
)
from homogaudit.report.section import Column, Line, Part, Row, Section, Span, Table
from homogaudit.report.side_by_side_records import Area
from homogaudit.report.text import plain
from homogaudit.report.undefined import WITH_FULL, Undefined
from homogaudit.statistics import Rate

_MET = {True: "met", False: "not met"}


def cascade_section(found: CascadeFindings) -> Section:
    """Return whether the cascade is recommended, what it does on held-out questions, and its stages."""
    held_out = found.held_out
    left_out = [line(f"No stage: {names} ({reason}).", "left_out") for names, reason in by_reason(found.left_out)]
    if isinstance(held_out, Undefined):
        tables = (_stages(found.stages, None),) if found.stages else ()
        return Section(
            "cascade", "Cascade", "ucbd", (line(f"Not evaluated: {held_out.reason}.", "ucbd"), *tables, *left_out)
        )
    verb, tone = ("Recommended", "good") if found.recommended else ("Not recommended", "doubtful")
    if found.questions_needed is not None:
        verb = f"Promising: at about {count(found.questions_needed)} labelled questions it would be recommended"
    savings = [line(f"Saves {_saving(kind, x)}.", "saving") for kind, x in held_out.saving.items()]
    if not held_out.works:
        savings = [line("What it saves is not shown: noise saves as much.", "saving")]
    areas = {"the cascade": held_out.auroc, "every stage": held_out.auroc_parallel}
    areas |= {f"{name} alone": x.auroc for name, x in held_out.alone.items()}
    rows = tuple(
        Row((plain(name), decimal(x.value), interval(x.low, x.high)), "auroc", mark=Span(x.value, x.low, x.high))
        for name, x in areas.items()
    )
    alone = ("difference", "difference.interval", "p_holm")
    parts: list[Part] = [
        line(f"{verb}.", "ucbd", tone),
        *(
            line(f"({x.letter}) {'met' if x.met else 'not met'}: {x.sentence}.", "conditions")
            for x in held_out.conditions
        ),
        figure_table(held_out, f"On held-out questions, margin {held_out.margin:g}"),
        *savings,
        _stages(found.stages, held_out),
        line(
            "Decided: share of the questions that a stage flags or accepts. AUROC: of its signal alone.",
            "decided",
            "muted",
        ),
        *left_out,
        Table(
            (Column("signal", "uncertainty_signal"), Column("AUROC", "auroc"), INTERVAL),
            rows,
            "AUROC on held-out questions",
            AUROC_AXIS,
        ),
        record_table(held_out.alone, Column("alone", "alone"), alone, term=signal_term),
        _points(held_out),
        line(
            "Band: share between the thresholds. Front: no other band is cheaper and as good, or better.",
            "points",
            "muted",
        ),
    ]
    published = found.published_protocol
    if isinstance(published, PublishedProtocol):
        said = (
            "Published protocol, in sample, nothing rests on it: parallel AUROC "
            f"{decimal(published.auroc_parallel, 6)} at weight {published.weight_first:g} of the first signal."
        )
        parts += [line(said, "published_protocol", "muted"), _published(published)]
    elif published != WITH_FULL:
        parts.append(line(f"No published protocol: {published.reason}.", "published_protocol", "muted"))
    if isinstance(found.oracle, Area):
        said = f"A choice of stages that knew the labels would reach {decimal(found.oracle.value)}, with noise as well."
        parts.append(line(said, "oracle", "muted"))
    return Section("cascade", "Cascade", "ucbd", tuple(parts))


def pointer_section(found: Pointer | Undefined) -> tuple[Section, ...]:
    """Return how far the free features alone point to wrong answers; nothing where it was left for the full report."""
    title = "Pointer model"
    if isinstance(found, Undefined):
        return () if found == WITH_FULL else (not_computed("pointer", title, "pointer", found.reason),)
    rows = [(name, decimal(value)) for name, value in found.coefficients.items()]
    note = "Coefficients: log-odds of a wrong answer a standard deviation, on all questions; description only."
    features = f"20 free features, held out; {found.components} components of the question embeddings beside them"
    coefficients = text_table((Column("feature", "pointer"), Column("coefficients", "pointer")), rows, "pointer")
    return (
        Section("pointer", title, "pointer", (figure_table(found, features), coefficients, *notes((note,), "pointer"))),
    )


def policy_section(policy: Policy, path: str) -> Section:
    """Return what a policy holds, and the held-out figures it was fitted with."""
    held_out = policy.held_out
    lines = [
        f"Written: {path}",
        f"Model: {policy.model}{'' if policy.fingerprint else ' (known by its name alone)'}",
        f"Fitted on {count(policy.questions)} questions, {count(policy.incorrect)} of them answered incorrectly.",
        f"On held-out questions: AUROC {decimal_and_interval(held_out.auroc)}, of running every stage "
        f"{decimal_and_interval(held_out.auroc_parallel)}; difference {decimal_and_interval(held_out.difference)}.",
        f"Saves {_saving(policy.cost_kind, held_out.saving or Undefined('every stage is free'))}.",
    ]
    warnings: list[str] = []
    if held_out.recommended:
        lines.append(f"Recommended: {held_out.reason}.")
    else:
        warnings.append(f"this cascade is not recommended: {held_out.reason}")
    rows = [
        (
            x.signal,
            x.boundary,
            f"{x.cost:.3g}",
            decimal(x.lower),
            decimal(x.upper),
            ", ".join(decimal(weight, 2) for weight in x.weights),
        )
        for x in policy.stages
    ]
    headings = ("stage", "boundary", policy.cost_kind, "accepts below", "flags above", "weights")
    table = text_table([Column(name) for name in headings], rows, "ucbd")
    note = "Accepts and flags: by P(incorrect | signals seen); between the two the next stage is asked."
    return Section("policy", "Cascade policy", "ucbd", (*_told(warnings, lines), table, *notes((note,), "ucbd")))


def applied_section(policy: Policy, applied: AppliedCascade) -> Section:
    """Return what a policy did on the questions of a run."""
    warnings = [f"{count(number)} questions are undecided: {why}" for why, number in applied.undecided.items()]
    lines = [
        f"Policy for {policy.model}, on answers of {applied.model}",
        f"{count(applied.decided)} of {count(applied.questions)} questions are decided, flagged of them: "
        f"{_rate(applied.flagged)}.",
    ]
    if isinstance(applied.saving, Undefined):
        lines.append(f"No saving: {applied.saving.reason}.")
    else:
        predicted = applied.predicted_saving
        expected = "" if predicted is None else f"; predicted {_saving(applied.cost_kind, predicted)}"
        lines.append(f"Saved against running every stage: {applied.cost_kind} {percent(applied.saving)}{expected}.")
    if applied.judge is not None:
        auroc = applied.auroc
        area = auroc.reason if isinstance(auroc, Undefined) else f"{decimal(auroc.value)} "
        area += "" if isinstance(auroc, Undefined) else interval(auroc.low, auroc.high)
        lines += [
            f"Correct by judge {applied.judge}: {_rate(applied.accuracy)} of the decided, "
            f"{_rate(applied.accuracy_accepted)} of the accepted.",
            f"AUROC of the cascade: {area}.",
        ]
    rows = [
        (name, count(number), percent(number / applied.decided) if applied.decided else MISSING)
        for name, number in applied.decided_at.items()
    ]
    table = text_table([Column(name) for name in ("stage", "decided", "share")], rows, "decided")
    return Section("decisions", "Cascade decisions", "ucbd", (*_told(warnings, lines), table))


def _rate(found: Rate | Undefined) -> str:
    if isinstance(found, Undefined):
        return f"{MISSING} ({found.reason})"
    return f"{share(found.k, found.n)} ({percent_and_interval(found)})"


def _told(warnings: Iterable[str], lines: Iterable[str]) -> tuple[Line, ...]:
    return (*(line(text, "ucbd", "warning") for text in warnings), *(line(text, "ucbd") for text in lines))


def _saving(kind: str, figure: HeldOutValue | Undefined) -> str:
    if isinstance(figure, Undefined):
        return f"{kind} - ({figure.reason})"
    return f"{kind} {percent_and_interval(figure)}"


def _stages(stages: tuple[CascadeStage, ...], held_out: HeldOutCascade | None) -> Table:
    kinds = ("calls", "seconds", "money")
    columns = [
        Column("stage", "ucbd"),
        Column("boundary", "boundary"),
        Column("cost", "cost_class"),
        *(Column(kind, "marginal_cost") for kind in kinds),
    ]
    rows = [(x.signal, x.boundary, x.cost_class, *(_cost(kind, x) for kind in kinds)) for x in stages]
    if held_out is not None:
        columns += [Column("decided", "decided"), Column("AUROC", "auroc")]
        own = [
            (percent(held_out.decided[x.signal].value), decimal(held_out.alone[x.signal].auroc.value)) for x in stages
        ]
        rows = [(*row, *end) for row, end in zip(rows, own, strict=True)]
    return text_table(columns, rows, "ucbd")


def _cost(kind: str, stage: CascadeStage) -> str:
    cost = stage.marginal_cost[kind]
    if isinstance(cost, Undefined):
        return MISSING
    return duration(cost) if kind == "seconds" else f"{cost:.3g}"


def _points(held_out: HeldOutCascade) -> Table:
    rows = [
        (
            percent(x.band),
            decimal(x.auroc.value),
            interval(x.auroc.low, x.auroc.high),
            decimal(x.cost.value),
            "yes" if x.on_front else "",
        )
        for x in held_out.points
    ]
    columns = (
        Column("band", "points"),
        Column("AUROC", "auroc"),
        INTERVAL,
        Column("calls", "marginal_cost"),
        Column("Pareto front", "points"),
    )
    return text_table(columns, rows, "points")


def _published(found: PublishedProtocol) -> Table:
    rows = [
        (f"{x.band:g}", f"{count(x.escalated)} of {count(found.n)}", percent(x.saving), decimal(x.auroc, 6))
        for x in found.points
    ]
    columns = (
        Column("band", "points"),
        Column("escalated", "published_protocol"),
        Column("saving", "saving"),
        Column("AUROC", "auroc"),
    )
    return text_table(columns, rows, "published_protocol")
