"""The report's sections on the cascade and the pointer model."""

import json
from collections.abc import Callable
from io import StringIO
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from homogaudit.cascade.boundaries import Stage
from homogaudit.errors import UsageError
from homogaudit.events import JobEmbedder
from homogaudit.records import GREEDY, Generation, GenerationState, Question, ResourceCost, TokenStatistics
from homogaudit.report.build import SEED, build
from homogaudit.report.cascade import CascadeInputs, cascade_figures, cascade_inputs, cascade_sentence, oracle
from homogaudit.report.cascade_layout import cascade_section, pointer_section
from homogaudit.report.cascade_policy import apply_policy, fit_run_policy
from homogaudit.report.cascade_records import CascadeFindings
from homogaudit.report.console import render_sections
from homogaudit.report.json import dumps, schema
from homogaudit.report.pointer import pointer_figures
from homogaudit.report.run_data import read_run
from homogaudit.report.section import Section
from homogaudit.report.signal_scores import LabelledScores, labelled_scores
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Rate
from homogaudit.store import RunFile, Scoring

LATER = ("density", "semantic_entropy_embedding")


def scores_of(run: RunFile) -> LabelledScores:
    judge = run.judges()[0]
    return labelled_scores(read_run(run), {name: label.value for name, label in run.labels(judge).items()})


def cascade_of(run: RunFile, *, full: bool = False, warning: str | None = None) -> CascadeFindings:
    scores = scores_of(run)
    inputs = cascade_inputs(read_run(run), scores)
    return cascade_figures(inputs, scores, warning=warning, full=full, seed=SEED)


def shown(section: Section) -> str:
    console = Console(file=StringIO(), width=80, highlight=False)
    render_sections([section], console)
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


@pytest.fixture
def scored_run(build_run: Callable[..., Any]) -> Callable[..., Any]:
    """Return a maker of a labelled run whose signals have given AUROCs."""

    def make(aurocs: dict[str, float], n: int = 400, seed: int = 1, **options: Any) -> Any:
        generator = np.random.default_rng(seed)
        incorrect = generator.random(n) < 0.5
        builder = build_run(n, recorded=True, **options)
        with builder.run.transaction():
            for position in range(n):
                builder.draw(position, [])
        for name, value in aurocs.items():
            # Two unit normals a distance d apart have the AUROC Phi(d / sqrt 2).
            distance = np.sqrt(2) * NormalDist().inv_cdf(value)
            drawn = generator.normal(size=n) + distance * incorrect
            builder.signal(name, dict(enumerate(drawn.tolist())), seconds=0.001)
        builder.label({i: "incorrect" if wrong else "correct" for i, wrong in enumerate(incorrect)})
        builder.score()
        return builder

    return make


@pytest.fixture(scope="module")
def qwen(qwen_run: RunFile) -> CascadeFindings:
    return cascade_of(qwen_run, full=True)


def test_the_published_sweep_of_the_recorded_run_is_reproduced(qwen: CascadeFindings, expected: Any) -> None:
    figures, found = expected["cascade"], qwen.published_protocol
    assert not isinstance(found, Undefined)
    assert (found.n, found.positives) == (figures["n"], figures["positives"])
    assert found.auroc_first == pytest.approx(figures["auroc_b1"], abs=1e-5)
    assert found.auroc_second == pytest.approx(figures["auroc_b2"], abs=1e-5)
    assert found.weight_first == figures["parallel"]["weight_b1"] == 0.65
    assert found.auroc_parallel == pytest.approx(figures["parallel"]["auroc"], abs=1e-5)
    by_band = {str(point.band): point for point in found.points}
    assert by_band.keys() == figures["band"].keys()
    for band, point in by_band.items():
        for name, value in figures["band"][band].items():
            assert getattr(point, name) == pytest.approx(value, abs=1e-5), (band, name)


def test_no_cascade_is_recommended_on_the_recorded_run_and_the_sentence_says_why(qwen: CascadeFindings) -> None:
    assert [x.signal for x in qwen.stages] == ["token_entropy_mean", "recorded:density", "recorded:association"]
    assert [x.marginal_cost["calls"] for x in qwen.stages] == [0.0, 1.0, 1.0]
    assert not isinstance(qwen.held_out, Undefined)
    saving = qwen.held_out.saving["calls"]
    assert not isinstance(saving, Undefined)
    assert 0 <= saving.low <= saving.value <= saving.high <= 1
    assert sum(x.value for x in qwen.held_out.decided.values()) == pytest.approx(1)
    assert not qwen.recommended
    assert "running every stage is not shown to tell wrong from right answers" in qwen.reason
    sentence = cascade_sentence(qwen)
    assert sentence.startswith(f"No cascade is recommended: {qwen.reason}")
    # What coin flips save is no saving.
    assert "saves" not in sentence


def test_what_costs_nothing_to_measure_twice_is_undefined_where_it_was_not_measured(qwen: CascadeFindings) -> None:
    assert not isinstance(qwen.held_out, Undefined)
    seconds, money = qwen.held_out.saving["seconds"], qwen.held_out.saving["money"]
    assert seconds == Undefined("the cost of recorded:density was not measured")
    assert money == Undefined("models.toml names no price for this model")


def test_the_full_report_holds_cascade_and_pointer_and_is_valid_json(
    scored_run: Callable[..., Any],
) -> None:
    run = scored_run({"token_entropy_mean": 0.7, "recorded:density": 0.6}, n=60).run
    brief, full = build(run, draws=50), build(run, draws=50, full=True)
    for report in (brief, full):
        Draft202012Validator(schema()).validate(json.loads(dumps(report)))
    assert brief.pointer == brief.cascade.published_protocol == Undefined("shown with --full")
    assert full.pointer == Undefined("the token entropies of the greedy answers are not stored")
    assert not isinstance(full.cascade.published_protocol, Undefined)
    assert full.cascade.held_out == brief.cascade.held_out
    assert cascade_sentence(full.cascade) in full.verdict.sentences


def test_a_cascade_of_two_useful_signals_is_recommended_with_its_saving(scored_run: Callable[..., Any]) -> None:
    run = scored_run({"token_entropy_mean": 0.75, "recorded:density": 0.75}, n=1500, seed=4).run
    found = cascade_of(run)
    assert found.recommended, found.reason
    sentence = cascade_sentence(found)
    assert sentence.startswith("Recommended cascade: `token_entropy_mean`, then `recorded:density`; it saves ")
    assert "of the calls, AUROC on held-out questions 0." in sentence
    assert ", accuracy at the cut 6" in sentence or ", accuracy at the cut 7" in sentence


def test_seconds_and_money_come_from_what_was_measured(scored_run: Callable[..., Any]) -> None:
    builder = scored_run({"token_entropy_mean": 0.7, "density": 0.6, "semantic_entropy_embedding": 0.7}, n=100)
    for question in builder.questions:
        builder.run.add_costs(
            [
                ResourceCost(question.id, "question_embedding", 0.01),
                ResourceCost(question.id, "answer_embeddings", 0.1),
                ResourceCost(question.id, "samples", 2.0, 500),
            ]
        )
    builder.run.set_meta("model_entry", {"price_per_million_tokens": 2.0})
    found = cascade_of(builder.run)
    assert [x.signal for x in found.stages] == ["token_entropy_mean", *LATER]
    # Own seconds are 0.001; sampled answers and their embeddings come with the last stage.
    seconds = [x.marginal_cost["seconds"] for x in found.stages]
    assert seconds == pytest.approx([0.001, 0.011, 2.101])
    # 500 tokens at 2 a million.
    assert [x.marginal_cost["money"] for x in found.stages] == pytest.approx([0.0, 0.0, 0.001])
    assert not isinstance(found.held_out, Undefined)
    assert not any(isinstance(x, Undefined) for x in found.held_out.saving.values())


def test_money_needs_the_tokens_of_what_the_model_writes(scored_run: Callable[..., Any]) -> None:
    builder = scored_run({"token_entropy_mean": 0.7, "semantic_entropy_embedding": 0.7}, n=60)
    builder.run.set_meta("model_entry", {"price_per_million_tokens": 2.0})
    assert cascade_of(builder.run).stages[1].marginal_cost["money"] == Undefined(
        "the tokens of samples were not measured"
    )


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (dict.fromkeys(range(40), "incorrect"), "`40` incorrect and `0` correct"),
        ({i: "incorrect" if i < 4 else "correct" for i in range(40)}, "`4` incorrect and `36` correct"),
        ({0: "incorrect", 1: "correct"}, "`1` incorrect and `1` correct"),
    ],
)
def test_labels_that_carry_no_cascade_give_the_reason(
    scored_run: Callable[..., Any], labels: dict[int, str], reason: str
) -> None:
    builder = scored_run({"token_entropy_mean": 0.7, "recorded:density": 0.6}, n=40)
    builder.label(dict.fromkeys(range(40), "ambiguous") | labels)
    found = cascade_of(builder.run)
    assert isinstance(found.held_out, Undefined)
    assert reason.replace("`", "") in found.held_out.reason
    assert not found.recommended
    report = build(builder.run, draws=20, full=True)
    Draft202012Validator(schema()).validate(json.loads(dumps(report)))
    with pytest.raises(UsageError, match="no cascade can be fitted"):
        fit_run_policy(builder.run, seed=0)


def test_constant_and_infinite_signals_are_no_stages(scored_run: Callable[..., Any]) -> None:
    builder = scored_run({"token_entropy_mean": 0.7, "recorded:density": 0.6}, n=60)
    builder.signal("freshness", dict.fromkeys(range(60), 0.0))
    builder.signal("recorded:association", dict.fromkeys(range(60), float("inf")))
    found = cascade_of(builder.run)
    assert [x.signal for x in found.stages] == ["token_entropy_mean", "recorded:density"]
    assert found.left_out == {
        "freshness": "the same for every question",
        "recorded:association": "defined for 0 of 60 questions",
    }
    text = shown(cascade_section(found))
    assert "No stage: freshness (the same for every question)." in text
    with pytest.raises(UsageError, match="`freshness` cannot be a stage"):
        fit_run_policy(builder.run, seed=0, signals=("token_entropy_mean", "freshness"))


def test_questions_with_an_infinite_or_missing_value_are_left_out(scored_run: Callable[..., Any]) -> None:
    builder = scored_run({"token_entropy_mean": 0.7, "recorded:density": 0.6}, n=80)
    builder.signal("recorded:density", {0: float("inf"), 1: float("-inf"), 2: float("nan"), 3: None})
    held_out = cascade_of(builder.run).held_out
    assert not isinstance(held_out, Undefined)
    assert held_out.n == 76


def test_a_recorded_signal_stands_in_for_one_that_could_not_be_computed(scored_run: Callable[..., Any]) -> None:
    builder = scored_run({"token_entropy_mean": 0.7, "recorded:density": 0.6}, n=60)
    builder.signal("density", dict.fromkeys(range(60)), reason="the questions were not embedded")
    found = cascade_of(builder.run)
    assert [x.signal for x in found.stages] == ["token_entropy_mean", "recorded:density"]
    assert found.left_out == {}


def test_one_signal_is_no_cascade(scored_run: Callable[..., Any]) -> None:
    found = cascade_of(scored_run({"token_entropy_mean": 0.8}, n=60).run, full=True)
    assert isinstance(found.held_out, Undefined)
    assert "a cascade needs two signals" in found.held_out.reason
    assert found.published_protocol == Undefined("it needs token_entropy_mean and density")
    assert cascade_sentence(found).startswith("No cascade is recommended: a cascade needs two signals")


def test_without_labels_nothing_is_said_of_a_cascade(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    builder.signal("token_entropy_mean", {i: float(i) for i in range(12)})
    for position in range(12):
        builder.draw(position, ["a", "b", "c"])
    report = build(builder.score(judge=None), draws=20, full=True)
    assert isinstance(report.cascade.held_out, Undefined)
    assert report.cascade.held_out.reason == report.labels.reason
    assert isinstance(report.pointer, Undefined)
    assert not any("cascade" in sentence for sentence in report.verdict.sentences)


def test_the_section_shows_stages_points_and_the_published_protocol(qwen: CascadeFindings) -> None:
    section = cascade_section(qwen)
    assert [len(table.rows) for table in section.tables()][1] == len(qwen.stages)
    text = shown(section)
    assert "Not recommended. (a) not met: running every stage is not shown" in text
    assert "noise saves as much" in text and "calls 8" not in text
    assert "171 of 401" in text
    assert "in sample" in text
    assert "(a) not met:" in text


# The pointer model


def test_the_pointer_model_reads_stored_entropies_and_embeddings(qwen_run: RunFile) -> None:
    found = pointer_figures(read_run(qwen_run), scores_of(qwen_run), warning=None, seed=SEED)
    assert not isinstance(found, Undefined)
    assert (found.n, found.positives) == (401, 196)
    assert len(found.coefficients) == 20
    assert found.auroc_with_embeddings == Undefined("no question embeddings are stored")
    assert "20 free features" in shown(*pointer_section(found))


@pytest.fixture
def embedded_run(build_run: Callable[..., Any]) -> Any:
    """Sixty questions whose embedding tells the label exactly, and whose entropies say nothing."""
    generator = np.random.default_rng(3)
    builder = build_run([Question(f"q{i}", f"Which is it, number {i}?") for i in range(60)], recorded=True)
    vectors: dict[str, Any] = {}
    for position, question in enumerate(builder.questions):
        entropies = generator.random(5).astype(np.float32)
        builder.run.add_generation(
            Generation(
                question.id, GREEDY, "it", "it", GenerationState.VALID, None, 5, TokenStatistics(entropies=entropies)
            )
        )
        vectors[question.text] = np.array([np.cos(position % 2), np.sin(position % 2), 0.1], dtype=np.float32)
    builder.label({i: "incorrect" if i % 2 else "correct" for i in range(60)})
    builder.score()
    embedder = JobEmbedder("tiny", "tiny#1a2b3c4d", "nowhere")
    builder.run.scoring = Scoring(judge="exact", embedder_source=embedder)
    builder.run.add_embeddings("tiny#1a2b3c4d", dict(list(vectors.items())[:-1]))
    builder.last = dict(list(vectors.items())[-1:])
    return builder


def test_embeddings_join_the_pointer_model_where_every_question_has_one(embedded_run: Any) -> None:
    run = embedded_run.run
    found = pointer_figures(read_run(run), scores_of(run), warning=None, seed=0)
    assert not isinstance(found, Undefined)
    assert found.auroc_with_embeddings == Undefined("1 of 60 questions have no stored embedding")
    run.add_embeddings("tiny#1a2b3c4d", embedded_run.last)
    found = pointer_figures(read_run(run), scores_of(run), warning=None, seed=0)
    assert not isinstance(found, Undefined)
    assert not isinstance(found.auroc_with_embeddings, Undefined)
    assert found.auroc_with_embeddings.value == 1.0
    assert found.auroc.value < 0.8
    assert found.components == 3


# Policies on runs


def test_a_policy_of_one_run_decides_another_and_saves_what_was_predicted(scored_run: Callable[..., Any]) -> None:
    signals = {"token_entropy_mean": 0.75, "recorded:density": 0.75}
    policy = fit_run_policy(scored_run(signals, n=600, seed=1).run, seed=SEED)
    applied = apply_policy(policy, scored_run(signals, n=600, seed=2).run)
    predicted = policy.held_out.saving
    assert predicted is not None
    assert not isinstance(applied.saving, Undefined)
    # Not degenerate: some questions stop and some go on.
    assert 0.05 < applied.saving < 0.95
    assert predicted.low <= applied.saving <= predicted.high
    assert isinstance(applied.accuracy_accepted, Rate)
    assert isinstance(applied.accuracy, Rate)
    assert applied.accuracy_accepted.value > applied.accuracy.value + 0.1
    assert not isinstance(applied.auroc, Undefined)
    assert abs(applied.auroc.value - policy.held_out.auroc.value) < 0.06
    assert sum(applied.decided_at.values()) == applied.decided == applied.questions == 600


def test_the_direction_of_a_recorded_signal_is_kept(scored_run: Callable[..., Any]) -> None:
    signals = {"token_entropy_mean": 0.6, "recorded:density": 0.9}
    up, down = scored_run(signals, n=200), scored_run(signals, n=200, directions={"recorded:density": -1})
    stored = down.run.signals()["recorded:density"]
    position = {question.id: number for number, question in enumerate(down.questions)}
    down.signal("recorded:density", {position[name]: -x.value for name, x in stored.items()})
    policy = fit_run_policy(up.run, seed=SEED)
    assert fit_run_policy(down.run, seed=SEED).stages == policy.stages
    assert apply_policy(policy, down.run).decisions == apply_policy(policy, up.run).decisions


def test_a_question_without_a_signal_is_undecided_with_the_reason(scored_run: Callable[..., Any]) -> None:
    builder = scored_run({"token_entropy_mean": 0.7, "recorded:density": 0.7}, n=200)
    policy = fit_run_policy(builder.run, seed=SEED)
    builder.signal("token_entropy_mean", {0: None, 1: float("nan")}, reason="token entropies were not recorded")
    builder.signal("token_entropy_mean", {2: float("inf")})
    applied = apply_policy(policy, builder.run)
    assert applied.questions - applied.decided == sum(applied.undecided.values()) == 3
    assert applied.undecided["token_entropy_mean: token entropies were not recorded"] == 2
    assert [x.reason != "" for x in applied.decisions[:4]] == [True, True, True, False]
    assert applied.decisions[0].flagged is None


def test_a_fit_without_labels_is_a_usage_error(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    with pytest.raises(UsageError, match="no labels"):
        fit_run_policy(builder.score(judge=None), seed=0)


def test_an_oracle_takes_the_most_right_stage_of_each_question():
    # Ranks of the two stages: 1 2 3 4 and 4 3 2 1. Wrong answers take the higher rank, right ones the lower.
    signals = np.array([[0.1, 0.2, 0.3, 0.4], [9.0, 7.0, 5.0, 3.0]])
    stages = (Stage("one", "B1", "free", frozenset()), Stage("two", "B2", "embed", frozenset({"embedding"})))
    incorrect = np.array([True, False, False, True])
    found = oracle(CascadeInputs(stages, {}, signals, incorrect, {}))
    # Wrong: 4 and 4; right: 2 and 2.
    assert (found.value, found.n, found.positives) == (1.0, 4, 2)
    assert oracle(CascadeInputs((), {}, signals[:0], incorrect, {})) == Undefined("no signal can be a stage")
