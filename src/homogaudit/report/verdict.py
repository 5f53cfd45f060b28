"""What follows from the figures, as a level, a signal, and sentences that a reader can quote.

It computes no figure; it reads them. Every sentence names the count or the interval that it rests on.
"""

import shlex
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path

from homogaudit.codec import finite
from homogaudit.report.analysis_records import AnswerWhere
from homogaudit.report.cascade import cascade_sentence
from homogaudit.report.cascade_records import CascadeFindings
from homogaudit.report.level import (
    FEWEST_QUESTIONS,
    LEVEL_STARTS,
    MILD,
    SEVERE,
    Level,
    VerdictLevel,
    bound_starts,
    deciding_starts,
    possible_bands,
)
from homogaudit.report.numbers import (
    count,
    decimal,
    decimal_and_interval,
    p_value,
    percent,
    percent_and_interval,
    percent_interval,
    share,
    threshold,
)
from homogaudit.report.records import (
    Auroc,
    Deciding,
    Distrust,
    Estimate,
    Labels,
    MethodFigures,
    Robustness,
    RunFacts,
    SignalScore,
    ThresholdPoint,
    Undefined,
    Validity,
    Verdict,
)
from homogaudit.report.signal_choice import SignalChoice
from homogaudit.report.validity import label_warning
from homogaudit.statistics import Rate, clopper_pearson, questions_needed
from homogaudit.statistics.decision_sequence import questions_to_one_band
from homogaudit.statistics.rates import POWER

EXAMPLE = "homogaudit-example"
"""What the run file of the packaged example is called: its commands take `--example` instead."""

_NAMED = 3
"""Signals named in one sentence; the table has the others."""


def decide(
    validity: Validity,
    methods: Mapping[str, MethodFigures],
    primary: str | None,
    labels: Labels,
    signals: Mapping[str, SignalScore],
    choice: SignalChoice,
    cascade: CascadeFindings,
    facts: RunFacts,
    path: Path,
) -> Verdict:
    """Return the verdict on homogenization and on the signals.

    Args:
        validity: The counts that can make the audit invalid.
        methods: What each clustering says.
        primary: The one that decides.
        labels: Of the chosen judge.
        signals: How each did.
        choice: The recommended one.
        cascade: Of the signals.
        facts: Of the run; the figures speak of its question file alone.
        path: Of the run file, for the next commands.
    """
    reasons = invalid_reasons(validity)
    figures = methods[primary] if primary is not None else None
    level: VerdictLevel = "invalid" if reasons else figures.level if figures else "not judged"
    other: dict[str, Level] = {
        name: x.level
        for name, x in methods.items()
        if name != primary and not isinstance(x.level_rate, Undefined) and _differs(x.level, level)
    }
    if level in ("invalid", "not judged"):
        other = {}
    distrusted = {} if label_warning(labels) is not None else _distrusted(signals, level, primary)
    sentences = [
        *_level_sentences(level, reasons, figures, primary, validity, facts.deciding),
        *_stopped_sentences(facts),
        *_rate_alone_sentences(facts, figures),
        *_other_sentences(other, methods),
        *_missed_error_sentences(figures, primary),
        *_signal_sentences(labels, signals, choice),
        *_trust_sentences(distrusted, level, figures),
        *_cascade_sentences(labels, cascade),
        f"The figures are about the questions of `{facts.question_source}`; they say nothing about others.",
    ]
    without = _without_refusals(level, figures)
    return Verdict(
        level=level,
        level_reason=_reason(level, reasons, figures, validity),
        level_without_refusals=without,
        questions_needed=None if level == "invalid" else _needed(figures, facts.deciding),
        other_levels=other,
        signal=choice.name,
        signal_auroc=choice.auroc,
        answer_where=choice.where,
        not_to_trust=distrusted,
        robustness=_robustness(level, figures, other),
        sentences=tuple(sentences),
        next=_next(level, validity, figures, labels, cascade, facts, path),
    )


def _differs(one: VerdictLevel, other: VerdictLevel) -> bool:
    return possible_bands(one) != possible_bands(other)


def _without_refusals(level: VerdictLevel, figures: MethodFigures | None) -> Level | None:
    """Return the level over the answered questions where some are refused and it is another one."""
    # Of a run for the rate alone it is that of other, fewer questions.
    if level in ("invalid", "not judged") or figures is None or figures.is_two_phase:
        return None
    return figures.level_without_refusals if figures.level_without_refusals != level else None


def _robustness(level: VerdictLevel, figures: MethodFigures | None, other: Mapping[str, Level]) -> Robustness | None:
    """Return what the level depends on; `None` where there is none."""
    if level in ("invalid", "not judged") or figures is None:
        return None
    if any(_differs(point.level, level) for point in plausible_points(figures)):
        return "depends on the threshold and the clustering" if other else "depends on the threshold"
    return "depends on the clustering" if other else "robust"


def plausible_points(figures: MethodFigures) -> tuple[ThresholdPoint, ...]:
    """Return the points of the curve at which the threshold may as well lie: all, unless labelled pairs say where."""
    fitted = figures.fitted_threshold
    if isinstance(fitted, Undefined) or fitted.low is None or fitted.high is None:
        return figures.thresholds
    return tuple(x for x in figures.thresholds if fitted.low <= x.threshold <= fitted.high)


def _next(
    level: VerdictLevel,
    validity: Validity,
    figures: MethodFigures | None,
    labels: Labels,
    cascade: CascadeFindings,
    facts: RunFacts,
    path: Path,
) -> tuple[str, ...]:
    """Return at most two commands that would settle what is open, the most pressing first."""
    if path.stem == EXAMPLE:
        return ("`homogaudit report --example --full`: every figure", "`homogaudit tui --example`: the clusters")
    run = shlex.quote(path.name)
    again = f"homogaudit run {shlex.quote(facts.model)} QUESTIONS"
    limit = finite(facts.decoding.get("max_tokens"))
    cut = validity.truncated if isinstance(validity.truncated, int) else 0
    found: list[str] = []
    # Answers that came from elsewhere are drawn anew where they came from.
    if limit is not None and 10 * (cut + validity.thinking_unclosed) > validity.samples:
        found.append(f"`{again} --max-tokens {4 * limit:g}`: answers that end")
    # By all its flags it finds the run again, and not all of them are stored.
    if facts.deciding is not None and facts.deciding.is_stopped and facts.status == "complete":
        rest = count(facts.questions - facts.deciding.questions)
        found.append(f"the command that drew it, with `--continue`: the other {rest}, for fixed-n intervals")
    if facts.rate_alone is not None and facts.status == "complete":
        found.append("the command that drew it, with `--continue`: the rest, for all figures")
    if facts.state == "drawn":
        found.append(f"`homogaudit score {run}`: scores what is drawn")
    needed = None if level == "invalid" else _needed(figures, facts.deciding)
    if needed is not None and limit is not None and not (figures and figures.is_sequential):
        found.append(f"`{again}`, {count(needed)} of them: would decide the level")
    if labels.judge is None or 2 * (labels.correct + labels.incorrect) < validity.questions_scored:
        found.append(f"`homogaudit score {run} --judge model:MODEL`: labels by another model")
    if cascade.recommended:
        found.append(f"`homogaudit cascade fit {run} --out policy.json`: the cascade, to use")
    found += [f"`homogaudit report {run} --full`: every figure", f"`homogaudit tui --run {run}`: the clusters"]
    return tuple(found[:2])


def invalid_reasons(validity: Validity) -> list[str]:
    """Return why the answers say nothing of the model; a run without samples is merely not judged."""
    if 2 * validity.samples_valid < validity.samples:
        return [f"only {share(validity.samples_valid, validity.samples)} samples hold an answer"]
    if isinstance(validity.duplicated, int) and 2 * (validity.samples_valid - validity.duplicated) < validity.samples:
        repeated = share(validity.duplicated, validity.samples)
        return [f"{repeated} samples are repetitions by a cache or a seed and no answers of their own"]
    return []


def _reason(level: VerdictLevel, reasons: list[str], figures: MethodFigures | None, validity: Validity) -> str:
    """Return why there is no level; nothing where there is one."""
    if level == "invalid":
        return " and ".join(reasons)
    if not validity.samples:
        return f"the run holds {'labels without answers' if validity.greedy is None else 'greedy answers only'}"
    if figures is None:
        return "the run holds no clustering"
    return figures.level_rate.reason if isinstance(figures.level_rate, Undefined) else ""


def _needed(figures: MethodFigures | None, deciding: Deciding | None) -> int | None:
    """Return how many questions would put the level into one band; `None` where it is, or where none practicable do."""
    if figures is None or isinstance(figures.level_rate, Undefined) or len(possible_bands(figures.level)) == 1:
        return None
    return questions_to_decide(figures, (MILD, SEVERE), deciding)


def questions_to_decide(figures: MethodFigures, bounds: Sequence[float], deciding: Deciding | None) -> int | None:
    """Return how many questions would put the interval of the rate between two bounds or beyond one.

    The missing answers leave it open which rate is the true one: the best and the worst case must lie alike. `None`
    where they do not, and where no practicable number of questions would do.
    """
    best, worst, judged = figures.scr_best_case, figures.scr_worst_case, figures.level_rate
    if figures.is_two_phase:
        # It depends on reversals, of which little is known.
        return None
    if deciding is not None and not isinstance(judged, Undefined):
        starts = LEVEL_STARTS if len(bounds) > 1 else bound_starts(bounds[0])
        about = questions_to_one_band(judged.value, starts, deciding_starts(deciding.max_scr))
        return None if about is None else max(about, judged.n + 1)
    if isinstance(best, Undefined) or isinstance(worst, Undefined) or isinstance(judged, Undefined):
        return None
    if bisect_left(bounds, best.value) != bisect_left(bounds, worst.value):
        return None
    found = [questions_needed(x.value, bounds, weight=_weight(figures)) for x in (best, worst)]
    known = [x for x in found if x is not None]
    return max(*known, FEWEST_QUESTIONS, judged.n + 1) if len(known) == len(found) else None


def _weight(figures: MethodFigures) -> float:
    """Return how many questions tell as much as an independent one, where questions of a category are alike."""
    rate, over = figures.scr, figures.scr_by_category
    if isinstance(rate, Undefined) or isinstance(over, Undefined):
        return 1.0
    alone = clopper_pearson(rate.k, rate.n)
    return max(1.0, ((over.high - over.low) / (alone.high - alone.low)) ** 2)


def _level_sentences(
    level: VerdictLevel,
    reasons: list[str],
    figures: MethodFigures | None,
    primary: str | None,
    validity: Validity,
    deciding: Deciding | None,
) -> list[str]:
    """Return what the primary clustering says, or why nothing can be said."""
    reason = _reason(level, reasons, figures, validity)
    if level == "invalid":
        return [f"This audit is not valid: {reason}; nothing is concluded about homogenization."]
    if figures is None or isinstance(figures.level_rate, Undefined) or not validity.samples:
        extremes = _extreme_sentences(figures) if figures is not None else []
        return [f"Homogenization is not judged: {reason}.", *extremes]
    rate = figures.level_rate
    without = _without_refusals(level, figures)
    mild, severe = f"{MILD:.0%}", f"{SEVERE:.0%}"
    said = {
        "none": ("No homogenization", f"lies below {mild}"),
        "at most mild": ("At most mild homogenization", f"ends between {mild} and {severe}"),
        "mild": ("Mild homogenization", f"lies between {mild} and {severe}"),
        "at least mild": ("At least mild homogenization", f"begins between {mild} and {severe}"),
        "severe": ("Severe homogenization", f"lies above {severe}"),
        "undecided": ("Undecided", f"reaches from below {mild} to above {severe}"),
    }
    name, lies = said[level]
    if without is not None:
        name += f", {without} without refusals"
    interval = "confidence sequence" if figures.is_sequential else "interval"
    interval += " over categories" if _is_over_categories(figures) else ""
    ends = percent_interval(rate.low, rate.high)
    return [
        f"{name}: {share(rate.k, rate.n)} questions get {_one_answer(primary)} (single-cluster rate "
        f"{percent(rate.value)}, clustering `{primary}`); its 95% {interval} {ends} {lies}.",
        *_open_sentences(figures),
        *_refusal_sentences(figures, without),
        *(_needed_sentences(figures, deciding) if len(possible_bands(level)) > 1 else []),
    ]


def _stopped_sentences(facts: RunFacts) -> list[str]:
    """Return what a run that stops once it is decided has stopped at, and what that spoils."""
    found = facts.deciding
    if found is None or not found.is_stopped:
        return []
    return [
        f"The run counts {share(found.questions, facts.questions)} questions in random order; the confidence sequence "
        "holds wherever it stops. All other intervals are fixed-n ones of a stopped run, those of AUROCs too."
    ]


def _rate_alone_sentences(facts: RunFacts, figures: MethodFigures | None) -> list[str]:
    """Return what a run for the rate alone has not drawn, and how its rate allows for that."""
    found = facts.rate_alone
    if found is None:
        return []
    stopped = share(found.questions_stopped, found.questions)
    said = [
        f"The run is for the rate alone: {stopped} questions were drawn no further than {found.first_samples} samples, "
        f"which lie apart. All other figures rest on the {count(found.questions_audited)} questions, chosen by chance, "
        "that were drawn to the end whatever they looked like."
    ]
    if figures is not None and isinstance(figures.reversals, Rate):
        reversals = figures.reversals
        are = "form" if reversals.k != 1 else "forms"
        said.append(
            f"{share(reversals.k, reversals.n)} of these that lay apart at first {are} one cluster all the same: the "
            "rate and its interval count as many among those drawn no further."
        )
    return said


def _is_over_categories(figures: MethodFigures) -> bool:
    over, rate = figures.scr_by_category, figures.level_rate
    return isinstance(over, Rate) and isinstance(rate, Rate) and (over.low, over.high) == (rate.low, rate.high)


def _open_sentences(figures: MethodFigures) -> list[str]:
    """Return that the interval covers both extremes, where missing answers leave questions open."""
    best, worst = figures.scr_best_case, figures.scr_worst_case
    if isinstance(best, Undefined) or isinstance(worst, Undefined) or best.k == worst.k:
        return []
    return [f"The interval covers both cases of missing answers. {_extreme_sentences(figures)[0]}"]


def _refusal_sentences(figures: MethodFigures, without: Level | None) -> list[str]:
    if without is None:
        return []
    rate = figures.level_rate_without_refusals
    if isinstance(rate, Undefined):
        return [f"Without refusals it is not judged: {rate.reason}."]
    return [f"Without refusals it is {without}: {share(rate.k, rate.n)} questions, {percent_and_interval(rate)}."]


def _extreme_sentences(figures: MethodFigures) -> list[str]:
    """Return what the missing answers leave open."""
    best, worst = figures.scr_best_case, figures.scr_worst_case
    if isinstance(best, Undefined) or isinstance(worst, Undefined):
        return []
    return [
        f"The single-cluster rate is {percent(best.value)} at best (each missing answer a cluster of its own) and "
        f"{percent(worst.value)} at worst (each agreeing with the others), of {count(worst.n)} questions."
    ]


def _one_answer(primary: str | None) -> str:
    return "one and the same number" if primary == "answer" else "one and the same answer"


def _needed_sentences(figures: MethodFigures, deciding: Deciding | None) -> list[str]:
    needed, scored = _needed(figures, deciding), figures.level_rate
    if isinstance(scored, Undefined):
        return []
    if needed is None and deciding is not None and deciding.max_scr is not None:
        return [f"The run decides whether the rate is at most {percent(deciding.max_scr)}, not on the level."]
    if needed is None:
        return ["At this rate no practicable number of questions would decide."]
    if figures.is_sequential:
        return [f"At this rate about {count(needed)} questions would decide; {count(scored.n)} are counted."]
    return [
        f"About {count(needed)} questions would decide, with a probability of {POWER:.0%} if the true rate is "
        f"{percent(scored.value)}; {count(scored.n)} are scored."
    ]


def _other_sentences(other: Mapping[str, str], methods: Mapping[str, MethodFigures]) -> list[str]:
    sentences: list[str] = []
    for name, level in other.items():
        rate = methods[name].level_rate
        assert isinstance(rate, Rate)
        sentences.append(f"The clustering `{name}` would say {level}: {percent_and_interval(rate)}.")
    return sentences


def _missed_error_sentences(figures: MethodFigures | None, primary: str | None) -> list[str]:
    """Return how many errors sampling cannot see."""
    if figures is None or isinstance(figures.wrong_in_single_cluster, Undefined):
        return []
    missed = figures.wrong_in_single_cluster
    return [
        f"Errors that sampling cannot see, because all samples agree by `{primary}`: "
        f"{share(missed.k, missed.n)} wrong answers ({percent_and_interval(missed)}){missed_without_refusals(figures)}."
    ]


def missed_without_refusals(figures: MethodFigures) -> str:
    """Return what is left of the missed errors without refusals; nothing where no wrong answer is a refusal."""
    all_of_them, left = figures.wrong_in_single_cluster, figures.wrong_without_refusals
    if isinstance(all_of_them, Undefined) or (isinstance(left, Rate) and left.n == all_of_them.n):
        return ""
    return f", without refusals {'none is left' if isinstance(left, Undefined) else share(left.k, left.n)}"


def _signal_sentences(labels: Labels, signals: Mapping[str, SignalScore], choice: SignalChoice) -> list[str]:
    """Return which signal to use, or that none is shown to work."""
    sentences: list[str] = []
    if labels.judge is None:
        return [f"Signals are not scored: {labels.reason}."]
    if isinstance(labels.accuracy, Rate):
        accuracy = labels.accuracy
        sentences.append(
            f"{share(accuracy.k, accuracy.n)} labelled answers are correct ({percent_and_interval(accuracy)}, "
            f"judge `{labels.judge}`)."
        )
    warning = label_warning(labels)
    if warning is not None:
        # Signals of so few answers are neither good nor inverted: anything said of them would be noise.
        return [*sentences, f"{warning[0].upper()}{warning[1:]}."]
    if choice.name is not None and not isinstance(choice.auroc, Undefined):
        held_out = _area(choice.auroc)
        p = p_value(_p_holm(signals[choice.name]))
        sentences.append(
            f"Recommended signal: `{choice.name}` (adjusted p {p}; AUROC on held-out questions {held_out})."
        )
        if isinstance(choice.where, AnswerWhere):
            sentences.append(_where_sentence(choice.name, choice.where))
    elif isinstance(labels.accuracy, Rate) and 0 < labels.accuracy.k < labels.accuracy.n:
        sentences.append(_none_works_sentence(signals, choice))
    return sentences


def _where_sentence(name: str, where: AnswerWhere) -> str:
    """Return when to answer, with the share of the questions and the accuracy that this gave."""
    side = "at most" if where.direction > 0 else "at least"
    return (
        f"Answer only where `{name}` is {side} {threshold(where.threshold)}: on held-out questions "
        f"{percent(where.coverage)} of them, accuracy {percent_and_interval(where.accuracy)}."
    )


def _distrusted(signals: Mapping[str, SignalScore], level: VerdictLevel, primary: str | None) -> dict[str, Distrust]:
    """Return why a signal is not to be trusted here, by name; a constant one is not inverted and not blind too.

    Blind is only what compares samples: another signal may be constant where they agree, but not because they do.
    """
    reasons: dict[str, Distrust] = {}
    by_definition = {f"semantic_entropy_{primary}", f"semantic_entropy_{primary}_rao"}
    for name, signal in signals.items():
        if not isinstance(signal.auroc, Auroc):
            continue
        single = signal.auroc_single_cluster
        if signal.auroc.reading == "inverted" or signal.auroc.reading == "constant":
            reasons[name] = signal.auroc.reading
        elif "none" not in possible_bands(level) and signal.cost.cost_class in ("samples", "nli"):
            if name in by_definition or (isinstance(single, Auroc) and single.constant):
                reasons[name] = "blind"
    return reasons


def _trust_sentences(distrusted: Mapping[str, str], level: str, figures: MethodFigures | None) -> list[str]:
    """Return a sentence a reason, with the names of the first signals."""
    sentences: list[str] = []
    meanings = {"inverted": "higher where the answer is right", "constant": "the same value for each question"}
    for reason, meaning in meanings.items():
        named = _named([name for name, why in distrusted.items() if why == reason])
        if named:
            sentences.append(f"{reason.capitalize()}, never recommended: {named} ({meaning}).")
    blind = _named([name for name, why in distrusted.items() if why == "blind"])
    if blind and figures is not None and isinstance(figures.scr, Rate):
        sentences.append(
            f"Not to be trusted here: {blind}; blind on {share(figures.scr.k, figures.scr.n)} questions, whose samples "
            "form one cluster."
        )
    return sentences


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"`{name}`" for name in names[:_NAMED]) + more


def _cascade_sentences(labels: Labels, cascade: CascadeFindings) -> list[str]:
    """Return whether to use a cascade; nothing where the sentences before say why signals are not scored."""
    return [] if labels.judge is None or label_warning(labels) is not None else [cascade_sentence(cascade)]


def _p_holm(signal: SignalScore) -> float | None:
    return signal.auroc.p_holm if isinstance(signal.auroc, Auroc) else None


def _area(found: Auroc | Estimate) -> str:
    """Return an AUROC with its interval, or that it has none."""
    has_none = found.low is None or found.high is None
    return f"{decimal(found.value)} (no interval)" if has_none else decimal_and_interval(found)


def _none_works_sentence(signals: Mapping[str, SignalScore], choice: SignalChoice) -> str:
    """Return that no signal is shown to work, with the one that came closest, or why none of those is recommended."""
    scored = {name: x.auroc for name, x in signals.items() if isinstance(x.auroc, Auroc)}
    if not scored:
        return "No signal shown to work: none could be scored."
    if isinstance(choice.auroc, Undefined) and any(auroc.reading == "works" for auroc in scored.values()):
        return f"No signal is recommended: {choice.auroc.reason}."
    open_ones = {name: auroc for name, auroc in scored.items() if auroc.reading == "not shown to work"}
    if not open_ones:
        return "No signal shown to work: every scored one is constant or inverted."
    closest = min(open_ones, key=lambda name: (open_ones[name].p_holm, -open_ones[name].value))
    best = open_ones[closest]
    return (
        f"No signal shown to work; `{closest}` comes closest (AUROC {_area(best)}, adjusted p {p_value(best.p_holm)})."
    )
