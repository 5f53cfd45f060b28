"""The short account of a comparison: what is compared, what differs, what is found. It computes no figure."""

from homogaudit.comparison.across_layout import across_lines
from homogaudit.comparison.changes import LEVEL
from homogaudit.comparison.pairing import named
from homogaudit.comparison.records import AurocChange, ComparedRun, Comparison, MeanChange, RateChange, RunPair
from homogaudit.report.figure import figures
from homogaudit.report.numbers import count, decimal, interval, p_value
from homogaudit.report.parts import line, record_table
from homogaudit.report.section import Column, Line, Part, Section, Tone
from homogaudit.report.text import shorten
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Estimate

RUN = Column("run", "run")

_NAMED = 2
"""Figures, and values, that one line names."""
_QUESTION = 60
"""Characters of a flipped question."""
_VALUE = 34
"""Characters of what was drawn otherwise."""
_CAUTION = 136
"""Characters of a warning, two lines."""

_FOUND = {"higher": "more homogenized", "lower": "less homogenized", "not shown": "no difference shown"}


def summary(found: Comparison) -> Section:
    """Return the short account: 20 lines of 80 columns for two runs."""
    parts: list[Part] = [*forced_lines(found), _compared(found), *differs_lines(found)]
    paths = ("scr", "scr.interval", "mean_clusters", "accuracy")
    parts.append(record_table(marked(found), RUN, paths))
    if len(found.pairs) == 1:
        for pair in found.pairs.values():
            parts += pair_lines(pair)
    else:
        rates = {x: pair.rate for x, pair in found.pairs.items()}
        paths = ("difference", "difference.interval", "p", "p_equivalent", "reading")
        parts.append(record_table(rates, Column(f"against {found.baseline}", "change"), paths))
    parts += across_lines(found.across)
    parts += [line(f"{text}.", "brought", label="" if at else "Alike") for at, text in enumerate(found.brought)]
    cautions = [shorten(f"{text}.", _CAUTION) for text in found.warnings[:2]]
    if more := found.warnings[2:]:
        cautions[1] += f" {count(len(more))} more with `--full`."
    parts += [line(text, "warnings", label="" if at else "Caution") for at, text in enumerate(cautions)]
    return Section("comparison", _title(found), "change", tuple(parts), _tone(found))


def _title(found: Comparison) -> str:
    if len(found.pairs) > 1:
        return f"{count(len(found.runs))} runs compared, baseline {found.baseline}"
    ((name, pair),) = found.pairs.items()
    if isinstance(pair.rate, Undefined):
        return f"{name} against {found.baseline}: not compared"
    told = _FOUND[pair.rate.reading]
    if pair.rate.reading == "not shown" and pair.rate.p_equivalent < LEVEL:
        told = f"the same within {_margin(pair.rate)} points"
    return f"{name} against {found.baseline}: {told}"


def _tone(found: Comparison) -> Tone:
    readings = {x.rate.reading for x in found.pairs.values() if isinstance(x.rate, RateChange)}
    return "bad" if "higher" in readings else "good" if "lower" in readings else ""


def forced_lines(found: Comparison) -> list[Line]:
    """Return what should have kept the runs from being compared."""
    return [line(f"compared by force: {text}", "forced", "warning") for text in found.forced]


def _compared(found: Comparison) -> Line:
    by = "each run by its own clustering" if (own := found.clustering) is None else f"by {named(own)}"
    labels = f", labels by {found.judge.partition('#')[0]}" if found.judge else ""
    text = f"{number_of_questions(found.questions)} in common, {found.samples} samples each, {by}{labels}."
    return line(text, "paired", label="Compared")


def differs_lines(found: Comparison) -> list[Line]:
    """Return what the runs differ in, and whether an effect can be laid to it."""
    names = {name: [x.name for x in pair.differs] for name, pair in found.pairs.items()}
    every = dict.fromkeys(x for own in names.values() for x in own)
    if not every:
        return [line("Nothing that is recorded of how they were drawn.", "differs", label="Differs")]
    told = ", ".join(every)
    if len(found.pairs) == 1:
        (pair,) = found.pairs.values()
        if len(pair.differs) <= _NAMED:
            values = {x.name: [shorten(value, _VALUE) for value in (x.run, x.baseline)] for x in pair.differs}
            told = ", ".join(f"{name} ({' against '.join(both)})" for name, both in values.items())
    is_more = max(map(len, names.values())) > 1
    text = f"{told}{'; an effect is not attributable to one of these' if is_more else ''}."
    return [line(text, "differs", "doubtful" if is_more else "", label="Differs")]


def marked(found: Comparison) -> dict[str, ComparedRun]:
    """Return the runs by their names, the baseline with a star."""
    return {f"{name} *" if name == found.baseline else name: x for name, x in found.runs.items()}


def pair_lines(pair: RunPair) -> list[Line]:
    """Return what is found of a run against the baseline."""
    if isinstance(pair.rate, Undefined):
        return [line(f"Not known: {pair.rate.reason}.", "change", label="Rate")]
    return [*_rate(pair.rate), _same(pair.rate), _ratios(pair), *_others(pair), _flipped(pair)]


def _rate(change: RateChange) -> list[Line]:
    found = change.difference
    tone: Tone = "bad" if change.reading == "higher" else "good" if change.reading == "lower" else ""
    sign = "+" if found.value > 0 else ""
    points = f"{sign}{decimal(100 * found.value, 1)} points {interval(100 * found.low, 100 * found.high, 1)}"
    text = (
        f"{points}, McNemar p {p_value(change.p)}: of {number_of_questions(found.n)} {count(found.only_first)} "
        f"{'has' if found.only_first == 1 else 'have'} one cluster only here, {count(found.only_second)} only in the "
        "baseline."
    )
    lines = [line(text, "mcnemar", tone, label="Rate")]
    if (found.low > 0 or found.high < 0) and change.reading == "not shown":
        text = (
            f"The p decides: with {count(found.only_first + found.only_second)} such questions the interval is rough."
        )
        lines.append(line(text, "mcnemar", "muted"))
    return lines


def _same(change: RateChange) -> Line:
    told = "Yes" if change.p_equivalent < LEVEL else "Not shown"
    text = f"{told}, within {_margin(change)} points: p {p_value(change.p_equivalent)}."
    return line(text, "p_equivalent", label="Same?")


def _margin(change: RateChange) -> str:
    return f"{100 * change.margin:g}"


def _ratios(pair: RunPair) -> Line:
    """Return what is left of the diversity beside what is left of the token entropy."""
    clusters, entropy = pair.means["mean_clusters"], pair.means["mean_token_entropy"]
    if isinstance(clusters, Undefined):
        return line(f"Not known: {clusters.reason}.", "ratio", label="Ratios")
    told = f"{_ratio(clusters)} of the clusters"
    if isinstance(entropy, Undefined):
        return line(f"{told}; token entropy not known: {entropy.reason}.", "ratio", label="Ratios")
    lost, kept = clusters.ratio, entropy.ratio
    is_kept = (
        isinstance(lost, Estimate)
        and isinstance(kept, Estimate)
        and lost.high is not None
        and lost.high < min(1, kept.value if kept.low is None else kept.low)
    )
    ends = ": entropy is kept while diversity is lost." if is_kept else "."
    text = f"{told}, {_ratio(entropy)} of the token entropy{ends}"
    return line(text, "ratio", "doubtful" if is_kept else "", label="Ratios")


def _ratio(change: MeanChange) -> str:
    if isinstance(change.ratio, Undefined):
        return f"{decimal(change.run, 2)} against {decimal(change.baseline, 2)}"
    bounds = "" if change.ratio.low is None else f" {interval(change.ratio.low, change.ratio.high, 2)}"
    return f"{decimal(change.ratio.value, 2)}{bounds}"


def _others(pair: RunPair) -> list[Line]:
    """Return how many of the other tests find a difference, and which."""
    changes: dict[str, RateChange | MeanChange | AurocChange | Undefined] = {
        "accuracy": pair.accuracy,
        **{mean_name(name): x for name, x in pair.means.items()},
        **{f"AUROC of `{name}`": x for name, x in pair.aurocs.items()},
    }
    made = {name: x for name, x in changes.items() if not isinstance(x, Undefined)}
    if not made:
        return []
    differing = [f"{name} {x.reading}" for name, x in made.items() if x.reading != "not shown"]
    more = f" and {count(len(differing) - _NAMED)} more" if differing[_NAMED:] else ""
    told = ", ".join(differing[:_NAMED]) + more or "no difference shown"
    text = f"{told} (of {count(len(made))} other test{'' if len(made) == 1 else 's'}, adjusted p below 0.05)."
    return [line(text[0].upper() + text[1:], "p_holm", label="Others")]


def mean_name(name: str) -> str:
    """Return what people read for a mean over questions."""
    return figures(ComparedRun)[name].name


def _flipped(pair: RunPair) -> Line:
    """Return how many questions flipped, and one of them."""
    told = f"{number_of_questions(len(pair.to_one))} from several clusters to one, {count(len(pair.from_one))} back"
    example = pair.to_one or pair.from_one
    shown = f", such as: {shorten(example[0].question, _QUESTION)}" if example else "."
    return line(f"{told}{shown}", "flipped", label="Flipped")


def number_of_questions(n: int) -> str:
    """Return a number of questions in words."""
    return f"{count(n)} question{'' if n == 1 else 's'}"
