"""The cascade and the pointer model as sections of lines and tables."""

from homogaudit.cascade.figures import Figure
from homogaudit.cascade.policy import Policy
from homogaudit.cascade.published import PublishedProtocol
from homogaudit.report.cascade_policy import AppliedCascade
from homogaudit.report.cascade_records import Cascade, CascadeStage, HeldOutCascade, Pointer
from homogaudit.report.numbers import MISSING, count, decimal, duration, interval, p_value, percent, percent_interval
from homogaudit.report.section import Section, Span, Table
from homogaudit.report.text import plain
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Rate

__all__ = ["applied_section", "cascade_section", "pointer_section", "policy_section"]


def cascade_section(found: Cascade, *, full: bool) -> Section:
    """Return whether the cascade is recommended, what it does on held-out questions, and its stages.

    Args:
        found: The cascade.
        full: Whether to add the single stages, the points, and the published protocol.
    """
    held_out = found.held_out
    if isinstance(held_out, Undefined):
        tables = (_stages(found.stages, None),) if found.stages else ()
        lines = [f"Not evaluated: {held_out.reason}."]
        return Section("Cascade", lines=_plain(lines), tables=tables, notes=_plain(_left_out(found)))
    lines = [
        f"{'Recommended' if found.recommended else 'Not recommended'}: {found.reason}.",
        f"On held-out questions (n {count(held_out.n)}): AUROC {_area(held_out.auroc)}, of running every stage "
        f"{_area(held_out.auroc_parallel)}; difference {_area(held_out.difference)}, p of losing {held_out.margin:g} "
        f"or more {p_value(held_out.p_non_inferior)}.",
        f"Saves against running every stage: {'; '.join(_saving(kind, x) for kind, x in held_out.saving.items())}.",
    ]
    tables = [_stages(found.stages, held_out)]
    notes = ["Decided: share of the questions that a stage flags or accepts. AUROC: of its signal alone."]
    notes += _left_out(found)
    if full:
        notes += [f"({x.letter}) {'met' if x.met else 'not met'}: {x.sentence}." for x in held_out.conditions]
        tables += [_alone(held_out), _points(held_out)]
        notes.append("Band: share between the thresholds. Front: no other band is cheaper and as good, or better.")
        published = found.published_protocol
        if isinstance(published, PublishedProtocol):
            tables.append(_published(published))
            notes.append(
                "Published protocol, in sample, nothing rests on it: parallel AUROC "
                f"{decimal(published.auroc_parallel, 6)} at weight {published.weight_first:g} of the first signal."
            )
        else:
            notes.append(f"No published protocol: {published.reason}.")
    return Section("Cascade", lines=_plain(lines), tables=tuple(tables), notes=_plain(notes))


def pointer_section(found: Pointer | Undefined) -> Section:
    """Return how far the free features alone point to wrong answers."""
    title = "Pointer model"
    if isinstance(found, Undefined):
        return Section(title, lines=_plain([f"Not evaluated: {found.reason}."]))
    joined = found.auroc_with_embeddings
    lines = [
        f"20 free features, held out: AUROC {_area(found.auroc)} (n {count(found.n)}).",
        f"With the question embeddings: not evaluated, {joined.reason}."
        if isinstance(joined, Undefined)
        else f"With {found.components} components of the question embeddings: AUROC {_area(joined)}.",
    ]
    rows = tuple((name, decimal(value)) for name, value in found.coefficients.items())
    notes = ("Coefficients: log-odds of a wrong answer a standard deviation, on all questions; description only.",)
    return Section(title, lines=_plain(lines), tables=(Table(("feature", "coefficient"), rows),), notes=notes)


def policy_section(policy: Policy, path: str) -> Section:
    """Return what a policy holds, and the held-out figures it was fitted with."""
    held_out = policy.held_out
    lines = [
        f"Written: {path}",
        f"Model: {policy.model}{'' if policy.fingerprint else ' (known by its name alone)'}",
        f"Fitted on {count(policy.questions)} questions, {count(policy.incorrect)} of them answered incorrectly.",
        f"On held-out questions: AUROC {_area(held_out.auroc)}, of running every stage "
        f"{_area(held_out.auroc_parallel)}; difference {_area(held_out.difference)}.",
        f"Saves {_saving(policy.cost_kind, held_out.saving or Undefined('every stage is free'))}.",
    ]
    warnings: list[str] = []
    if held_out.recommended:
        lines.append(f"Recommended: {held_out.reason}.")
    else:
        warnings.append(f"this cascade is not recommended: {held_out.reason}")
    rows = tuple(
        (
            plain(x.signal),
            plain(x.boundary),
            f"{x.cost:.3g}",
            decimal(x.lower),
            decimal(x.upper),
            ", ".join(decimal(weight, 2) for weight in x.weights),
        )
        for x in policy.stages
    )
    table = Table(("stage", "from", policy.cost_kind, "accepts below", "flags above", "weights"), rows)
    notes = ("Accepts and flags: by P(incorrect | signals seen); between the two the next stage is asked.",)
    return Section("Cascade policy", _plain(warnings), _plain(lines), (table,), notes)


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
    rows = tuple(
        (plain(name), count(number), percent(number / applied.decided) if applied.decided else MISSING)
        for name, number in applied.decided_at.items()
    )
    return Section("Cascade decisions", _plain(warnings), _plain(lines), (Table(("stage", "decided", "share"), rows),))


def _rate(found: Rate | Undefined) -> str:
    if isinstance(found, Undefined):
        return f"{MISSING} ({found.reason})"
    shares = f"{percent(found.value)} {percent_interval(found.low, found.high)}"
    return f"{count(found.k)} of {count(found.n)} ({shares})"


def _plain(lines: list[str]) -> tuple[str, ...]:
    return tuple(plain(line) for line in lines)


def _area(figure: Figure) -> str:
    return f"{decimal(figure.value)} {interval(figure.low, figure.high)}"


def _saving(kind: str, figure: Figure | Undefined) -> str:
    if isinstance(figure, Undefined):
        return f"{kind} - ({figure.reason})"
    return f"{kind} {percent(figure.value)} {percent_interval(figure.low, figure.high)}"


def _left_out(found: Cascade) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for name, reason in found.left_out.items():
        by_reason.setdefault(reason, []).append(name)
    return [f"No stage: {', '.join(names)} ({reason})." for reason, names in by_reason.items()]


def _stages(stages: tuple[CascadeStage, ...], held_out: HeldOutCascade | None) -> Table:
    columns = ("stage", "from", "cost", "calls", "seconds", "money")
    rows = [
        (plain(x.signal), plain(x.boundary), x.cost_class, *(_cost(kind, x) for kind in ("calls", "seconds", "money")))
        for x in stages
    ]
    if held_out is None:
        return Table(columns, tuple(rows))
    more = [(percent(held_out.decided[x.signal].value), decimal(held_out.alone[x.signal].auroc.value)) for x in stages]
    return Table((*columns, "decided", "AUROC"), tuple((*row, *end) for row, end in zip(rows, more, strict=True)))


def _cost(kind: str, stage: CascadeStage) -> str:
    cost = stage.marginal_cost[kind]
    if isinstance(cost, Undefined):
        return MISSING
    return duration(cost) if kind == "seconds" else f"{cost:.3g}"


def _alone(held_out: HeldOutCascade) -> Table:
    rows = tuple(
        (
            plain(name),
            decimal(x.auroc.value),
            interval(x.auroc.low, x.auroc.high),
            _area(x.difference),
            p_value(x.p_holm),
        )
        for name, x in held_out.alone.items()
    )
    spans = tuple(Span(x.auroc.value, x.auroc.low, x.auroc.high) for x in held_out.alone.values())
    return Table(("alone", "AUROC", "95% interval", "against cascade", "adj. p"), rows, spans)


def _points(held_out: HeldOutCascade) -> Table:
    rows = tuple(
        (
            percent(x.band),
            decimal(x.auroc.value),
            interval(x.auroc.low, x.auroc.high),
            decimal(x.cost.value),
            "yes" if x.on_front else "",
        )
        for x in held_out.points
    )
    return Table(("band", "AUROC", "95% interval", "calls", "front"), rows)


def _published(found: PublishedProtocol) -> Table:
    rows = tuple(
        (f"{x.band:g}", f"{count(x.escalated)} of {count(found.n)}", percent(x.saving), decimal(x.auroc, 6))
        for x in found.points
    )
    return Table(("band, in sample", "escalated", "saving", "AUROC"), rows)
