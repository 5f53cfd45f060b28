import dataclasses
import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from rich.console import Console
from scipy.stats import binomtest
from scipy.stats import wilcoxon as scipy_wilcoxon
from sklearn.metrics import roc_auc_score

from homogaudit.comparison.build import compare
from homogaudit.comparison.layout import sections
from homogaudit.comparison.pairing import run_names
from homogaudit.comparison.records import Comparison, RateChange
from homogaudit.comparison.schema import schema
from homogaudit.comparison.summary import summary
from homogaudit.errors import UsageError
from homogaudit.records import Question
from homogaudit.report.console import render_sections
from homogaudit.report.glossary import lookup
from homogaudit.report.json import dumps
from homogaudit.report.markdown import sections_to_markdown
from homogaudit.report.run_data import read_run
from homogaudit.report.undefined import Undefined
from homogaudit.store import ModelSource, RunFile

from .conftest import EMBEDDING, Told, many, one


def runs_of(make: Callable[..., Any], shapes: Sequence[tuple[bool, bool]], **signals: Any) -> list[Any]:
    """Two runs whose questions have one cluster or many, as told for each."""
    return [
        make(name, [Told(one() if x[at] else many(), "correct" if x[at] else "incorrect") for x in shapes], **signals)
        for at, name in enumerate(("base", "aligned"))
    ]


def shown(found: Comparison, *, full: bool = False) -> str:
    console = Console(width=80, record=True, color_system=None, force_terminal=False, file=None)
    with console.capture() as captured:
        render_sections((*(sections(found) if full else ()), summary(found)), console)
    return captured.get()


def test_the_difference_of_the_rates_is_that_of_the_questions(make):
    # 2 questions are single in the base run alone, 11 in the aligned one alone, 3 in both, 14 in neither.
    shapes = [(True, False)] * 2 + [(False, True)] * 11 + [(True, True)] * 3 + [(False, False)] * 14
    found = compare(runs_of(make, shapes), draws=200)
    change = found.pairs["aligned"].rate
    assert isinstance(change, RateChange)
    assert (change.baseline.k, change.run.k, change.difference.n) == (5, 14, 30)
    assert change.difference.value == pytest.approx(9 / 30)
    assert change.p == pytest.approx(binomtest(2, 13).pvalue)
    assert (change.method, change.reading, change.p_holm) == ("exact", "higher", None)
    assert [x.question_id for x in found.pairs["aligned"].from_one] == ["q0", "q1"]
    assert len(found.pairs["aligned"].to_one) == 11
    first = found.pairs["aligned"].to_one[0]
    assert [x.samples for x in first.baseline] == [1, 1, 1, 1]
    assert [(x.answer, x.samples) for x in first.run] == [("same answer", 4)]


def test_every_test_but_that_of_the_rates_is_corrected_together(make):
    rng = np.random.default_rng(3)
    told = [
        [
            Told(
                one() if rng.random() < share else many(int(rng.integers(2, 5))) + one(n=4)[:0],
                "correct" if rng.random() < 0.5 else "incorrect",
                {"token_entropy_mean": float(rng.gamma(2)), "p_true": float(rng.random())},
            )
            for _ in range(40)
        ]
        for share in (0.1, 0.6)
    ]
    told = [[dataclasses.replace(x, samples=[*x.samples, *many(4)][:4]) for x in run] for run in told]
    pair = compare([make("a", told[0]), make("b", told[1])], draws=500).pairs["b"]
    tests = [pair.accuracy, *pair.means.values(), *pair.aurocs.values()]
    made = [x for x in tests if not isinstance(x, Undefined)]
    assert len(made) == 1 + 4 + 2
    # Holm by hand: the smallest p times how many there are, and so on down, never falling.
    expected, highest = {}, 0.0
    for step, x in enumerate(sorted(made, key=lambda x: x.p)):
        highest = max(highest, min(1.0, x.p * (len(made) - step)))
        expected[id(x)] = highest
    assert [x.p_holm for x in made] == pytest.approx([expected[id(x)] for x in made])
    clusters = [[len(set(x.samples)) for x in run] for run in told]
    assert pair.means["mean_clusters"].p == pytest.approx(scipy_wilcoxon(*clusters[::-1], method="approx").pvalue)
    assert pair.means["mean_clusters"].difference.value == pytest.approx(np.mean(clusters[1]) - np.mean(clusters[0]))


def test_questions_that_do_not_pair_are_listed_and_left_out(make):
    first = make("first", [Told(one()), Told(many()), Told(many()), Told(many(), unfinished=True)])
    second = make("second", [Told(one()), Told(one()), Told(many(), question=Question("other", "Other?"))])
    found = compare([first, second], draws=100)
    assert found.questions == 2
    assert [(x.reason, x.question_ids) for x in found.left_out] == [
        ("in first, not in every other run", ("q2", "q3")),
        ("in second, not in every other run", ("other",)),
    ]
    assert "Left out" in shown(found, full=True)


def test_an_unfinished_question_is_left_out(make):
    told = [Told(one()), Told(many()), Told(many())]
    cut = [*told[:2], dataclasses.replace(told[2], unfinished=True)]
    found = compare([make("whole", told), make("cut", cut)], draws=100)
    assert [(x.reason, x.question_ids) for x in found.left_out] == [("unfinished in cut", ("q2",))]


def test_a_question_asked_in_other_words_is_refused_unless_forced(make):
    asked = Question("q0", "Where is Rome?", context="A text.")
    runs = [
        make("first", [Told(one(), question=asked), Told(many())]),
        make("second", [Told(one(), question=dataclasses.replace(asked, context="Another.")), Told(many())]),
    ]
    with pytest.raises(UsageError, match="ask 1 of 2 questions in other words or with another context: `q0`"):
        compare(runs, draws=100)
    found = compare(runs, force=True, draws=100)
    assert len(found.forced) == 1
    markdown = sections_to_markdown("x", sections(found))
    for output in (shown(found), shown(found, full=True), markdown, dumps(found)):
        assert "in other words or with another context" in " ".join(output.split())


def test_white_space_does_not_make_a_question_another_one(make):
    runs = [
        make("first", [Told(one(), question=Question("q0", "Where is  Rome?")), Told(many())]),
        make("second", [Told(one(), question=Question("q0", "Where is Rome? ")), Told(many())]),
    ]
    assert compare(runs, draws=100).questions == 2


def test_more_samples_are_cut_to_those_that_the_smallest_run_has(make):
    # The third and fourth sample say something else: of two samples each question is single.
    wide = [Told(["same answer", "same answer", "word1 other1", "word2 other2"])] * 3
    narrow = [Told(["same answer", "same answer"])] * 3
    found = compare([make("wide", wide), make("narrow", narrow)], draws=100)
    assert found.samples == 2
    assert found.runs["wide"].scr.k == 3
    assert found.brought == ("only the first 2 samples of each question count, as a run has no more: wide (4)",)


def test_embeddings_are_clustered_anew_at_the_threshold_of_the_baseline(make):
    strict = dataclasses.replace(EMBEDDING, threshold=0.99)
    told = [Told(one(n=3)), Told(many(3))] * 6
    baseline = make("baseline", told, method=EMBEDDING, embedder=EMBEDDING.embedder)
    other = make("other", told, method=strict, embedder=EMBEDDING.embedder)
    found = compare([baseline, other], draws=100)
    assert found.clustering == EMBEDDING
    assert "its own report goes by embedding at 0.99" in found.brought[0]
    assert found.pairs["other"].rate.difference.value == 0


def test_runs_of_two_embedders_are_refused_with_the_command_that_helps(make):
    another = dataclasses.replace(EMBEDDING, embedder="big#5e6f")
    told = [Told(one(n=3)), Told(many(3))] * 3
    runs = [
        make("first", told, method=EMBEDDING, embedder=EMBEDDING.embedder),
        make("second", told, method=another, embedder="big#5e6f"),
    ]
    with pytest.raises(UsageError, match="not clustered by the same model: `second`") as caught:
        compare(runs, draws=100)
    assert "homogaudit score" in caught.value.hint and "second.audit --embedder tiny" in caught.value.hint
    found = compare(runs, force=True, draws=100)
    assert found.clustering is None and "not clustered by the same model" in found.forced[0]
    assert found.pairs["second"].rate.difference.value == 0


def test_a_named_clustering_is_taken_and_an_unknown_one_refused(make):
    told = [Told(one(n=3)), Told(many(3))]
    runs = [make(x, told, method=EMBEDDING, embedder=EMBEDDING.embedder) for x in "ab"]
    assert compare(runs, clustering="embedding", draws=100).clustering == EMBEDDING
    with pytest.raises(UsageError, match="no run has a clustering `meaning`"):
        compare(runs, clustering="meaning", draws=100)


@pytest.mark.parametrize(
    ("one_drawn", "other_drawn", "named"),
    [
        ({"temperature": 0.3}, {"temperature": 1.0}, ["temperature"]),
        ({"model": "Big-F16"}, {"model": "Big-Q4_0"}, ["quantization"]),
        ({"model": "Big"}, {"model": "Small"}, ["model"]),
        ({"model": "Big-Q8_0"}, {"model": "Small-Q8_0"}, ["model"]),
        ({"prompting": {"mode": "base", "system": ""}}, {"prompting": {"system": "Be brief."}}, ["mode"]),
        ({"prompting": {"system": "Be brief."}}, {"prompting": {"system": ""}}, ["system line"]),
        ({"max_tokens": 40, "temperature": 0.5}, {}, ["temperature", "length"]),
        ({}, {"seed": 7}, []),
    ],
)
def test_what_differs_is_named(make, one_drawn, other_drawn, named):
    told = [Told(one()), Told(many())]
    found = compare([make("first", told, **one_drawn), make("second", told, **other_drawn)], draws=100)
    (pair,) = found.pairs.values()
    assert [x.name for x in pair.differs] == named
    is_said = "an effect is not attributable to one of these" in " ".join(shown(found).split())
    assert is_said == (len(named) > 1)


def test_what_is_not_recorded_of_a_run_is_told_and_not_said_to_differ(make):
    told = [Told(one()), Told(many())]
    source = ModelSource(fingerprint={"size": 1})
    runs = [make("first", told, source=source), make("second", told, model="x", source=source)]
    with sqlite3.connect(runs[1].run.path) as edited:
        edited.execute("UPDATE meta SET value = ? WHERE key = 'parameters'", (json.dumps({"prompting": {}}),))
    found = compare([runs[0], read_run(runs[1].run)], draws=100)
    (pair,) = found.pairs.values()
    assert [x.name for x in pair.differs] == ["model"]
    names = "mode, temperature, top_p, top_k, min_p, length, greedy length"
    assert f"x: {names} not recorded, and may differ" in found.warnings


def test_stages_order_the_runs_whatever_is_the_baseline(make):
    told = [Told(one()), Told(many())]
    stages = ["instruct", "dpo", "base", "sft"]
    runs = [make(x, told, source=ModelSource(stage=x, family="f")) for x in stages]
    found = compare(runs, baseline=1, draws=100)
    assert [x.stage for x in found.runs.values()] == ["base", "sft", "dpo", "instruct"]
    assert found.baseline == "dpo" and list(found.pairs) == ["base", "sft", "instruct"]
    assert "dpo *" in shown(found)


def test_entropy_that_is_kept_while_diversity_is_lost_is_said(make):
    rng = np.random.default_rng(0)
    entropies = rng.gamma(4, 0.3, 60)
    told = [
        [
            Told(samples, "correct", {"token_entropy_mean": float(x * rng.normal(1, 0.01))})
            for samples, x in zip(shapes, entropies, strict=True)
        ]
        for shapes in ([many()] * 60, [one()] * 50 + [many()] * 10)
    ]
    found = compare([make("base", told[0]), make("aligned", told[1])], draws=1000)
    # 110 clusters to 4 of each of 60 questions: (50 + 10 * 4) / 240.
    assert found.pairs["aligned"].means["mean_clusters"].ratio.value == pytest.approx(90 / 240)
    assert found.pairs["aligned"].means["mean_token_entropy"].ratio.value == pytest.approx(1, abs=0.01)
    assert "entropy is kept while diversity is lost" in " ".join(shown(found).split())


def test_signals_of_samples_are_not_compared_across_numbers_of_samples(make):
    wide = [Told(many(4), "correct", {"semantic_entropy_jaccard": 1.0, "p_true": 0.5})] * 3
    narrow = [Told(many(2), "correct", {"semantic_entropy_jaccard": 1.0, "p_true": 0.5})] * 3
    aurocs = compare([make("wide", wide), make("narrow", narrow)], draws=100).pairs["narrow"].aurocs
    assert aurocs["semantic_entropy_jaccard"].reason == "computed from 4 and 2 samples a question"
    assert "samples a question" not in aurocs["p_true"].reason


def test_what_a_model_says_of_its_answers_is_not_compared_where_it_was_asked_in_other_ways(make):
    told = [Told(many(), "correct" if x % 2 else "incorrect", {"p_true": x / 12, "x": x / 12}) for x in range(12)]
    runs = [make(name, told) for name in ("earlier", "later", "never")]
    for data, asks in zip(runs[:2], (False, True), strict=True):
        with RunFile.open(data.run.path, writable=True) as run:
            run.wanted_calls, run.asks_in_conversation = ["p_true"], asks
    found = compare(runs, draws=100)
    later, never = found.pairs["later"], found.pairs["never"]
    assert [(x.name, x.baseline, x.run) for x in later.differs] == [
        ("asked in", "a separate prompt", "the same conversation")
    ]
    reason = "asked in a separate prompt in one run and in the same conversation in the other"
    assert later.aurocs["p_true"] == Undefined(reason)
    assert not isinstance(later.aurocs["x"], Undefined)
    assert not never.differs and not any("asked in" in x for x in found.warnings)
    assert not isinstance(never.aurocs["p_true"], Undefined)


def test_runs_of_two_judges_have_no_labels_in_common(make):
    told = [Told(one(), "correct"), Told(many(), "incorrect")]
    runs = [make("first", told), make("second", [Told(x.samples) for x in told])]
    found = compare(runs, draws=100)
    assert found.judge is None and "first by exact, second by none" in found.judge_reason
    assert isinstance(found.pairs["second"].accuracy, Undefined)


def test_a_run_against_itself_is_the_same(make):
    run = runs_of(make, [(True, True)] * 5 + [(False, False)] * 195)[0]
    found = compare([run, run], draws=100)
    change = found.pairs["base (2)"].rate
    assert (change.difference.value, change.p, change.reading) == (0, 1, "not shown")
    assert change.p_equivalent < 0.05 and "the same within 5 points" in summary(found).title


def test_the_short_account_is_short_and_the_schema_describes_all(make):
    shapes = [(True, False)] * 2 + [(False, True)] * 11 + [(False, False)] * 27
    found = compare(runs_of(make, shapes), full=True, draws=200)
    assert len(shown(found).splitlines()) <= 20
    Draft202012Validator(schema()).validate(json.loads(dumps(found)))
    for section in (summary(found), *sections(found)):
        for term in section.terms():
            assert lookup(term).definition


def test_the_short_account_stays_short_where_much_differs(make):
    wide = [Told(many(4), "correct", {"token_entropy_mean": 1.0 + at}) for at in range(20)]
    narrow = [Told(one(n=2) if at % 2 else many(2), "incorrect") for at in range(12)]
    first = make("first", wide, model="A-rather-long-model-name-135M-Q8_0", temperature=0.7, max_tokens=40)
    second = make("second", narrow, model="Another-model-270M-F16", prompting={"mode": "base"}, top_p=0.9)
    found = compare([first, second], draws=100)
    assert len(found.pairs["Another-model-270M-F16"].differs) == 6
    lines = shown(found).splitlines()
    # Two cautions of two lines each: one that ends in the middle of a word says nothing.
    assert len(lines) <= 25 and max(map(len, lines)) <= 80
    assert "...." not in "".join(lines)


def test_hostile_names_and_answers_are_plain(make):
    told = [Told(["\x1b[31mred\x07 x"] * 4, question=Question("q0", "\x1b]0;t\x07Why?\u202e")), Told(many())]
    other = [Told(many(), question=told[0].question), Told(many())]
    found = compare([make("a", other, model="m\x1b[2J"), make("b", told, model="n|x")], draws=100, full=True)
    text = shown(found, full=True)
    assert "\x1b" not in text and "\u202e" not in text and "red x" in text
    assert "n\\|x" in sections_to_markdown("t", sections(found))


def test_one_run_is_no_comparison(make):
    with pytest.raises(UsageError, match="two runs or more"):
        compare([make("alone", [Told(one())])])


def test_refusals_among_single_clusters_are_told_by_run_and_category(make):
    refused = ["I'm sorry, but I can't help with that."] * 4
    questions = [Question(f"q{at}", f"Question {at}?", "law" if at < 2 else "art") for at in range(3)]
    answers = {"base": [one(), many(), one()], "aligned": [refused, refused, one()]}
    runs = [
        make(name, [Told(x, question=question) for x, question in zip(own, questions, strict=True)])
        for name, own in answers.items()
    ]
    found = compare(runs, draws=50)
    rates = {name: (x.refused_in_single_cluster.k, x.refused_in_single_cluster.n) for name, x in found.runs.items()}
    assert rates == {"base": (0, 2), "aligned": (2, 3)}
    rows = [row.split() for row in shown(found, full=True).splitlines()]
    assert ["law", "0", "of", "1", "2", "of", "2"] in rows and ["art", "0", "of", "1", "0", "of", "1"] in rows


def test_a_signal_may_tell_where_the_other_run_helps(make: Callable[..., Any]) -> None:
    # Wrong at first and right then: 10 of 40 questions, where the entropy of the first run is high but for two.
    helped = [x < 10 for x in range(40)]
    entropy = [2.0 if x < 8 else 1.0 for x in range(40)]
    first = make(
        "alone",
        [Told(many(), "incorrect" if x < 20 else "correct", {"token_entropy_mean": entropy[x]}) for x in range(40)],
    )
    second = make("with", [Told(many(), "correct" if x < 10 or x >= 20 else "incorrect") for x in range(40)])
    found = compare([first, second], draws=50).pairs["with"].tells_where_it_helps["token_entropy_mean"]
    assert found.value == pytest.approx(roc_auc_score(helped, entropy))
    assert (found.n, found.positives) == (40, 10)


def test_a_run_that_is_compared_with_itself_is_told(make):
    run = make("base", [Told(one(), "correct"), Told(many(), "incorrect")])
    found = compare([run, run], draws=50)
    assert any("one and the same run" in text for text in found.warnings)


def test_long_names_that_differ_only_at_their_ends_give_way_to_those_of_the_files(make):
    kinds = {"a": "F16", "b": "Q4_0"}
    told = [Told(one()), Told(many())]
    runs = [make(name, told, model=f"A-Model-Of-A-Long-Name-Instruct.{kind}") for name, kind in kinds.items()]
    assert run_names(runs) == ("a", "b")
