import dataclasses

import pytest

from homogaudit.errors import UsageError
from homogaudit.report import records
from homogaudit.report.glossary import TERMS, all_terms, lookup
from homogaudit.signals.registry import SIGNALS
from homogaudit.statistics import Rate

SELF_EXPLANATORY = {
    *("id", "model", "model_details", "question_source", "created", "finished", "device", "versions"),
    *("embedder_reason", "definition", "source", "sentences", "value", "class_", "run", "signals"),
}

OF_THE_DESIGN = """
questions questions_scored samples samples_valid truncated thinking_unclosed empty refusals errors warnings
primary level threshold linkage scr scr_best_case scr_worst_case scr_without_refusals wrong_in_single_cluster
mean_clusters mean_semantic_entropy mean_alignment_tax histogram thresholds sample_sizes low high k n
judge correct incorrect ambiguous no_match accuracy boundary direction cost seconds_per_question auroc delong_low
delong_high positives p_holm constant auroc_single_cluster auroc_multi_cluster cohens_d accuracy_at aurc prr
stages saving none undecided mild severe invalid signal inverted duplicated
single average leader jaccard embedding answer overlap exact numeric recorded wilson delong bootstrap holm
semantic_entropy rao token_entropy selfcheck cost_class pass slot speedup_over_serial alignment_tax labelled_share
""".split()


@pytest.mark.parametrize("term", OF_THE_DESIGN)
def test_every_term_of_the_designed_report_is_explained(term):
    assert lookup(term).definition


def test_every_field_of_the_report_is_explained():
    classes = [getattr(records, name) for name in records.__all__] + [Rate]
    names = {field.name for owner in classes for field in dataclasses.fields(owner)}
    unexplained = []
    for name in sorted(names - SELF_EXPLANATORY):
        try:
            lookup(name)
        except UsageError:
            unexplained.append(name)
    assert unexplained == []


def test_every_signal_explains_itself():
    for name, signal in SIGNALS.items():
        assert lookup(name).definition == signal.definition


def test_no_spelling_means_two_terms():
    spellings = [
        spelling.casefold().replace(" ", "_").replace("-", "_")
        for term in all_terms().values()
        for spelling in {term.name, *term.aliases}
    ]
    assert sorted(spellings) == sorted(set(spellings))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("SCR", "scr"),
        ("single-cluster rate", "scr"),
        ("Cohen's d".replace("'", ""), "cohens_d"),
        ("semantic  entropy", "semantic_entropy"),
        ("wrong-in-single-cluster", "wrong_in_single_cluster"),
        ("homogenization.scr", "scr"),
        ("methods.jaccard.scr_best_case", "scr_best_case"),
        ("B3", "boundary"),
    ],
)
def test_case_spaces_hyphens_paths_and_aliases_are_accepted(spelling, name):
    assert lookup(spelling).name == name


def test_an_unknown_term_names_the_nearest():
    with pytest.raises(UsageError) as caught:
        lookup("wilsn")
    assert caught.value.exit_code == 2
    assert "`wilson`" in str(caught.value.hint)


@pytest.mark.parametrize("term", ["", "  ", ".", "\x1b[31m", "zzzzzzzz"])
def test_nonsense_is_a_usage_error_on_one_clean_line(term):
    with pytest.raises(UsageError) as caught:
        lookup(term)
    assert caught.value.message.isprintable()
    assert caught.value.hint


def test_definitions_are_single_lines_that_end_as_sentences():
    for term in TERMS.values():
        assert term.definition.endswith("."), term.name
        assert all(text is None or text.isprintable() for text in (term.definition, term.formula, term.unit))


def test_statistics_cite_their_source():
    for name in ("scr", "semantic_entropy", "wilson", "holm", "delong", "auroc", "bootstrap", "cohens_d", "selfcheck"):
        assert TERMS[name].source, name
