"""The section on diversity: by clustering, by number of samples, and by wording."""

from homogaudit.report.diversity_records import ClusteringDiversity, WordingDiversity
from homogaudit.report.figure import figures
from homogaudit.report.parts import by_reason, figure_table, line, not_computed, notes, record_table
from homogaudit.report.records import Report
from homogaudit.report.section import Column, Part, Section
from homogaudit.report.undefined import WITH_FULL, Undefined

_FIRST = Column("clustering", "clustering")


def diversity_section(report: Report) -> Section:
    """Return the figures of diversity; what was left for the full report is not among them."""
    found, methods = report.diversity, report.homogenization.methods
    by_samples = [x.distinct_clusters for x in found.clusterings.values()]
    reasons = [x.reason for x in by_samples if isinstance(x, Undefined)]
    if len(reasons) == len(methods):
        return not_computed("diversity", "Diversity", "diversity", next(iter(reasons), "no clustering is stored"))
    paths = ("mean_pairwise_similarity", "mean_pairwise_similarity.interval", "mean_pairwise_similarity.of")
    parts: list[Part] = [record_table(methods, _FIRST, paths)]
    for name, x in found.clusterings.items():
        parts += _by_samples(name, x)
    missing: dict[str, str] = {}
    for name, x in found.clusterings.items():
        if isinstance(x.vendi_score, Undefined) and x.vendi_score != WITH_FULL:
            missing[f"Vendi score by {name}"] = x.vendi_score.reason
    scores = {name: x for name, x in found.clusterings.items() if not isinstance(x.vendi_score, Undefined)}
    if scores:
        paths = ("vendi_score", "vendi_score.interval", "vendi_score.of")
        parts.append(record_table(scores, _FIRST, paths, title="Effective number of different answers"))
    if not isinstance(found.wording, Undefined):
        values = {name: getattr(found.wording, name) for name in figures(WordingDiversity)}
        without = [name for name, value in values.items() if isinstance(value, Undefined)]
        missing |= {figures(WordingDiversity)[name].name: values[name].reason for name in without}
        if len(without) < len(values):
            parts.append(figure_table(found.wording, "By wording", without=without))
    parts += [line(f"Not computed: {names}, {reason}.", "undefined") for names, reason in by_reason(missing)]
    texts = (
        "More diverse: more distinct clusters, a higher Vendi score and distinct-n; a lower similarity, self-BLEU and "
        "compression ratio.",
    )
    return Section("diversity", "Diversity", "diversity", (*parts, *notes(texts, "diversity")))


def _by_samples(name: str, found: ClusteringDiversity) -> list[Part]:
    """Return the distinct clusters among 2 to N samples; one sample shows one."""
    if isinstance(found.distinct_clusters, Undefined):
        return [line(f"{name}: no distinct clusters, {found.distinct_clusters.reason}.", "distinct_clusters")]
    points = {str(x.k): x for x in found.distinct_clusters if x.k > 1}
    paths = ("distinct_clusters", "distinct_clusters.interval", "distinct_clusters.of")
    title = f"{name}: distinct clusters among so many samples"
    return [record_table(points, Column("samples", "sample_sizes"), paths, title=title)]
