import pytest

from homogaudit.errors import UsageError
from homogaudit.report.glossary import TERMS, all_terms, lookup
from homogaudit.report.json import schema
from homogaudit.signals.registry import SIGNALS

OF_THE_DESIGN = """
questions questions_scored samples samples_valid truncated thinking_unclosed empty refusals errors warnings
primary level threshold linkage scr scr_best_case scr_worst_case scr_without_refusals wrong_in_single_cluster
mean_clusters mean_semantic_entropy mean_alignment_tax histogram thresholds sample_sizes low high k n
judge correct incorrect ambiguous no_match accuracy boundary direction cost seconds_per_question auroc delong_low
delong_high positives p_holm constant auroc_single_cluster auroc_multi_cluster cohens_d accuracy_at aurc prr
stages saving none at_most_mild mild at_least_mild severe undecided not_judged invalid signal inverted duplicated
single average leader jaccard embedding answer overlap exact numeric recorded wilson delong bootstrap holm
semantic_entropy rao token_entropy selfcheck cost_class pass slot speedup_over_serial alignment_tax labelled_share
""".split()


OF_THE_BENCH = """
speedup_over_serial engine_speedup engine_tokens_per_second serial_tokens_per_second device_limit bandwidth compute
reached step_tokens_per_second host_share slots slots_in_use passes_saved
""".split()


@pytest.mark.parametrize("term", [*OF_THE_DESIGN, *OF_THE_BENCH])
def test_every_term_of_the_designed_report_and_of_the_bench_is_explained(term):
    assert lookup(term).definition


def keys(part):
    """Yield every key that a JSON Schema describes."""
    if isinstance(part, dict):
        yield from part.get("properties", ())
        for inner in part.values():
            yield from keys(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from keys(inner)


def test_every_key_of_the_json_report_is_explained():
    described = sorted(set(keys(schema())))
    assert len(described) > 80
    unexplained = []
    for key in described:
        try:
            lookup(key)
        except UsageError:
            unexplained.append(key)
    assert unexplained == []


@pytest.mark.parametrize("term", ["seed", "seeds"])
def test_the_seed_promises_equal_texts_only_where_they_are_equal(term):
    definition = lookup(term).definition
    assert "same machine, build, threads and schedule only" in definition
    assert "only `--slots 1` repeats a run text by text" in definition


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
