"""The short report: the level on its scale, whether it is robust, what is missed, what helps, what to do next.

It computes no figure and rests on those of the report; every renderer shows it, the terminal nothing else by default.
"""

from homogaudit.report.cascade_records import HeldOutCascade
from homogaudit.report.gates import gate_lines
from homogaudit.report.layout import LEVEL_TONES, SCR_AXIS
from homogaudit.report.numbers import count, decimal, decimal_and_interval, percent, percent_and_interval, share
from homogaudit.report.parts import line, record_table
from homogaudit.report.records import Auroc, MethodFigures, Report, SignalScore, Undefined
from homogaudit.report.section import Column, Line, Part, Section
from homogaudit.report.text import shorten
from homogaudit.report.verdict import missed_without_refusals, plausible_points
from homogaudit.statistics import Estimate, Rate

_NAMED = 2
"""Signals named in one line."""

_CHANCE = 0.5
"""AUROC of a similarity that has nothing to do with meaning."""

_CAUTION = 136
"""Characters of a warning, two lines; the section on validity has it whole."""


def summary(report: Report) -> Section:
    """Return the short report; it fits 24 lines of 80 columns."""
    verdict, primary = report.verdict, _primary(report)
    parts: list[Part] = [_run(report)]
    if verdict.level_reason:
        parts.append(line(verdict.sentences[0], "level", LEVEL_TONES[verdict.level]))
    if primary is not None and isinstance(primary.scr, Rate):
        decides = "scr" if isinstance(primary.level_rate, Undefined) else "level_rate"
        paths = ("threshold", "scr", f"{decides}.interval", "scr.of")
        named = {str(report.homogenization.primary): primary}
        first = Column("clustering", "clustering")
        parts.append(record_table(named, first, paths, term=lambda _: "scr", mark=decides, axis=SCR_AXIS))
    parts += [*_stopped(report), *_rate_alone(report)]
    parts += [
        *_meaning(report, primary),
        *_robust(report, primary),
        *_diversity(report, primary),
        *_corrected(primary),
        *_missed(report, primary),
        *_signals(report),
        *_saving(report),
    ]
    parts += [*_cautions(report), *gate_lines(report), *_next(report)]
    return Section("summary", _title(report), "level", tuple(parts), LEVEL_TONES[verdict.level])


def _run(report: Report) -> Line:
    run = report.run
    drawn = f"{count(run.samples)} samples each" if run.samples else "no samples"
    return line(f"{run.model}: {count(run.questions)} questions of `{run.question_source}`, {drawn}", "run")


def _stopped(report: Report) -> list[Line]:
    """Return where a run stopped once it was decided, and which intervals hold there."""
    found = report.run.deciding
    if found is None or not found.is_stopped:
        return []
    text = (
        f"After {share(found.questions, report.run.questions)} questions in random order. This interval holds wherever "
        "it stops; AUROCs and all others are fixed-n, of a stopped run."
    )
    return [line(text, "until_decided", label="Stopped")]


def _rate_alone(report: Report) -> list[Line]:
    """Return what a run for the rate alone has not drawn, and what its other figures rest on."""
    found = report.run.rate_alone
    if found is None:
        return []
    saved = percent(1 - found.answers_drawn / found.answers_of_all)
    stopped = share(found.questions_stopped, found.questions)
    text = (
        f"{stopped} questions after {found.first_samples} samples, {saved} fewer answers. All but SCR is of "
        f"{count(found.questions_audited)} audited questions."
    )
    return [line(text, "rate_alone", label="Stopped")]


def _primary(report: Report) -> MethodFigures | None:
    found = report.homogenization
    return None if found.primary is None else found.methods[found.primary]


def _title(report: Report) -> str:
    verdict, primary = report.verdict, _primary(report)
    level = verdict.level
    if primary is None or primary.threshold is None or verdict.level_reason:
        return f"Homogenization: {level}"
    without = "" if verdict.level_without_refusals is None else f", {verdict.level_without_refusals} without refusals"
    return f"Homogenization: {level} at {primary.threshold:g}{without}, {verdict.robustness}"


def _meaning(report: Report, primary: MethodFigures | None) -> list[Line]:
    """Return how well the clustering that decides tells meaning apart."""
    if primary is None or isinstance(primary.scr, Undefined) or report.verdict.level_reason:
        return []
    found, name = primary.pairs_auroc, report.homogenization.primary
    if isinstance(found, Undefined):
        return []
    # No better than chance on pairs where words and meaning go apart.
    is_better = found.low is not None and found.low > _CHANCE
    measures = "tells one meaning from another" if is_better else "measures wording, not meaning"
    text = f"`{name}` {measures}: AUROC {decimal_and_interval(found)} on {count(found.n)} labelled pairs."
    return [line(text, "pairs_auroc", label="Meaning")]


def _robust(report: Report, primary: MethodFigures | None) -> list[Line]:
    """Return the rate over thresholds, at the calibrated one and under the other clusterings."""
    if primary is None or report.verdict.robustness is None:
        return []
    sweep = [x for x in plausible_points(primary) if x != primary.calibrated_threshold]
    ends = [f"{percent(x.scr.value)} at {x.threshold:g}" for x in (sweep[0], sweep[-1])] if sweep else []
    if ends and not isinstance(primary.fitted_threshold, Undefined):
        ends = [f"{' and '.join(ends)}, between which labelled pairs put the threshold"]
    if isinstance(primary.calibrated_threshold, Undefined):
        # What `meaning` joins at is calibrated itself.
        ends += ["not calibrated"] if primary.similarity != "meaning" else []
    else:
        point = primary.calibrated_threshold
        ends.append(f"{percent(point.scr.value)} at the calibrated {point.threshold:.3g}")
    others = [
        f"{percent(x.scr.value)} by {name}"
        for name, x in report.homogenization.methods.items()
        if name != report.homogenization.primary and isinstance(x.scr, Rate)
    ]
    told = ", ".join([*ends, *others])
    is_robust = report.verdict.robustness == "robust"
    return [
        line(f"{'Yes' if is_robust else 'No'}: {told}.", "threshold", "" if is_robust else "doubtful", label="Robust?")
    ]


def _diversity(report: Report, primary: MethodFigures | None) -> list[Line]:
    """Return what still tells where hardly any question has one cluster."""
    if primary is None or report.verdict.level_reason:
        return []
    points = report.diversity.clusterings[str(report.homogenization.primary)].distinct_clusters
    if isinstance(points, Undefined):
        return []
    told = [f"{_estimate(points[-1].distinct_clusters, 2)} of {count(points[-1].k)} samples"]
    if not isinstance(primary.mean_pairwise_similarity, Undefined):
        told.append(f"similarity {_estimate(primary.mean_pairwise_similarity)}")
    return [line(f"{', '.join(told)}.", "distinct_clusters", label="Distinct")]


def _estimate(found: Estimate | Auroc, places: int = 3) -> str:
    """Return a number with its interval, where it has one."""
    has_none = found.low is None or found.high is None
    return decimal(found.value, places) if has_none else decimal_and_interval(found, places)


def _corrected(primary: MethodFigures | None) -> list[Line]:
    """Return the rate by the questions that a person labelled as a whole; nothing where there is none."""
    if primary is None or isinstance(primary.corrected_rate, Undefined):
        return []
    found = primary.corrected_rate
    text = f"Corrected to {percent_and_interval(found)} by {count(found.n)} questions labelled as a whole."
    return [line(text, "corrected_rate", label="By hand")]


def _missed(report: Report, primary: MethodFigures | None) -> list[Line]:
    """Return the wrong answers on which all samples agree."""
    if primary is None or isinstance(primary.scr, Undefined):
        return []
    found = primary.wrong_in_single_cluster
    if isinstance(found, Undefined):
        return [line(f"Not known: {found.reason}.", "wrong_in_single_cluster", label="Missed")]
    text = (
        f"{share(found.k, found.n)} wrong answers ({percent_and_interval(found)})"
        f"{missed_without_refusals(primary)}: all samples agree on them, so sampling cannot see them."
    )
    return [line(text, "wrong_in_single_cluster", label="Missed", questions="missed" if found.k else "")]


def _signals(report: Report) -> list[Line]:
    """Return the best free and the best sampling signal, and how many work, are inverted or blind."""
    scored = {name: x for name, x in report.signals.items() if isinstance(x.auroc, Auroc)}
    if not scored:
        reasons = [x.auroc.reason for x in report.signals.values() if isinstance(x.auroc, Undefined)]
        why = report.labels.reason if report.labels.judge is None else next(iter(reasons), "no signal is stored")
        is_open = report.labels.correct + report.labels.incorrect < report.validity.questions_scored
        return [line(f"Not scored: {why}.", "auroc", label="Signals", questions="unlabelled" if is_open else "")]
    kinds = {"free": ("free",), "sampling": ("samples", "nli")}
    best = [
        text
        for kind, classes in kinds.items()
        if (text := _best({name: x for name, x in scored.items() if x.cost.cost_class in classes}, kind))
    ]
    working = [name for name, x in scored.items() if isinstance(x.auroc, Auroc) and x.auroc.reading == "works"]
    text = "; ".join(best)
    lines = [line(f"{text[0].upper()}{text[1:]}.", "auroc", label="Signals")] if best else []
    told = [f"{_listed(working)} {'works' if len(working) == 1 else 'work'}" if working else "none is shown to work"]
    for reason in ("inverted", "blind", "constant"):
        names = [name for name, why in report.verdict.not_to_trust.items() if why == reason]
        if names:
            told.append(f"{reason}: {_listed(names)}" if reason == "inverted" else f"{count(len(names))} {reason}")
    n = max(x.auroc.n for x in scored.values() if isinstance(x.auroc, Auroc))
    adjusted = f"adjusted p below 0.05, n {count(n)}"
    lines.append(
        line(f"Of {count(len(scored))}, {'; '.join(told)} ({adjusted}).", "p_holm", label="" if best else "Signals")
    )
    return lines


def _best(scored: dict[str, SignalScore], kind: str) -> str:
    """Return the signal of highest AUROC of a kind."""
    areas = {name: x.auroc for name, x in scored.items() if isinstance(x.auroc, Auroc) and not x.auroc.constant}
    if not areas:
        return ""
    name = max(areas, key=lambda x: areas[x].value)
    found = areas[name]
    return f"best {kind} `{name}`, AUROC {_estimate(found)}"


def _listed(names: list[str]) -> str:
    """Return some names, and how many there are beside them."""
    more = f" and {count(len(names) - _NAMED)} more" if len(names) > _NAMED else ""
    return ", ".join(f"`{name}`" for name in names[:_NAMED]) + more


def _saving(report: Report) -> list[Line]:
    """Return what asking cheapest first saves, also where the cheapest signal alone is the answer."""
    found = report.cascade.held_out
    if isinstance(found, Undefined):
        return [line(f"Not known: {found.reason}.", "saving", label="Saving")]
    against = (
        f"AUROC {decimal(found.auroc.value)} against {decimal(found.auroc_parallel.value)} of every stage, accuracy "
        f"{percent(found.accuracy_at_cut.value)} against {percent(found.accuracy_at_cut_parallel.value)}"
    )
    saving = found.saving["calls"]
    if report.cascade.recommended and not isinstance(saving, Undefined):
        saved = percent_and_interval(saving)
        return [line(f"The cascade saves {saved} of the calls; {against}.", "saving", "good", label="Saving")]
    alone = _cheapest_alone(report, found)
    if alone:
        return [line(alone, "saving", "good", label="Saving")]
    if report.cascade.questions_needed is not None:
        more = count(max(1, report.cascade.questions_needed - found.n))
        return [line(f"A cascade is promising, label about {more} more; {against}.", "saving", label="Saving")]
    unmet = next((x.sentence for x in found.conditions if not x.met), report.cascade.reason)
    return [line(f"None is shown: {unmet}; {against}.", "saving", label="Saving")]


def _cheapest_alone(report: Report, found: HeldOutCascade) -> str:
    """Return what the cheapest stage alone saves where it is free, works, and is not shown worse; else nothing."""
    first = report.cascade.stages[0]
    alone = found.alone[first.signal]
    if first.cost_class != "free" or alone.shown_worse or alone.auroc.low <= 0.5:
        return ""
    return (
        f"`{first.signal}` alone, no sampling: saves all sampling calls, AUROC {decimal_and_interval(alone.auroc)} "
        f"against {decimal(found.auroc_parallel.value)} for everything."
    )


def _cautions(report: Report) -> list[Line]:
    """Return what limits the figures most, and how much more there is."""
    rest = len(report.validity.warnings) - 2
    more = f"; {count(rest)} more under Validity (`--full`)" if rest > 0 else ""
    texts = [shorten(text, _CAUTION) for text in report.validity.warnings[:2]]
    if more:
        texts[1] = shorten(texts[1], _CAUTION - len(more)) + more
    return [line(f"{text}.", "warnings", label="" if number else "Caution") for number, text in enumerate(texts)]


def _next(report: Report) -> list[Line]:
    """Return the commands that would settle what is open."""
    return [line(command, "next", label="" if number else "Next") for number, command in enumerate(report.verdict.next)]
