import hashlib
import json
import math

import numpy as np
import pytest

from homogaudit.cascade.boundaries import stage_of
from homogaudit.cascade.costs import unit_costs
from homogaudit.cascade.fits import fit_cascades
from homogaudit.cascade.policy import Cascade, Policy, fit_policy, realised_saving
from homogaudit.cascade.ucbd import evaluate_cascade
from homogaudit.errors import ParametersDifferError, UndefinedStatisticError, UsageError

STAGES = [stage_of(name) for name in ("token_entropy_mean", "density", "semantic_entropy_embedding")]


def fitted(signals, incorrect, **named) -> Policy:
    stages = STAGES[: len(signals)]
    evaluation = evaluate_cascade(stages, signals, incorrect, [unit_costs(stages)], draws=40)
    return fit_policy(evaluation, signals, incorrect, **{"model": "test", **named})


def decide_all(policy: Policy, signals) -> list:
    names = [stage.signal for stage in policy.stages]
    return [Cascade(policy).decide(dict(zip(names, column, strict=True))) for column in np.asarray(signals).T]


@pytest.fixture(scope="module")
def drawn(draw_signals):
    return draw_signals((0.65, 0.75, 0.8), 300, 1)


@pytest.fixture(scope="module")
def policy(drawn) -> Policy:
    return fitted(*drawn, fingerprint={"size": 12, "head_sha256": "ab", "tail_sha256": "cd", "sha256": None})


def rewritten(policy: Policy, change) -> str:
    """The text of a policy after an edit that also computes the checksum anew."""
    body = json.loads(policy.to_json())
    del body["checksum"]
    change(body)
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return json.dumps({**body, "checksum": "sha256:" + hashlib.sha256(text.encode()).hexdigest()})


def test_json_text_gives_the_policy_back(policy):
    assert Policy.from_json(policy.to_json()) == policy
    assert json.loads(policy.to_json())["version"] == 1


def test_a_policy_loads_from_text_and_from_a_file(policy, tmp_path):
    path = tmp_path / "policy.json"
    path.write_text(policy.to_json(), encoding="utf-8")
    for source in (policy.to_json(), path, str(path)):
        assert Cascade.load(source).policy == policy


def test_decisions_are_those_of_the_fit(drawn, policy):
    signals, incorrect = drawn
    fits = fit_cascades(signals.T, incorrect.astype(float), np.ones((1, incorrect.size)))
    outcome = fits.decide(fits.probabilities(signals.T))
    decisions = decide_all(policy, signals)
    assert [decision.probability for decision in decisions] == pytest.approx(outcome.score[0].tolist(), abs=1e-12)
    names = [stage.signal for stage in policy.stages]
    assert [names.index(decision.stage) for decision in decisions] == outcome.stage[0].tolist()


def test_a_policy_by_hand():
    # Normalised signals are (x - 1) / 2; log-odds 0 + 1 z1, then 0 + 1 z1 + 2 z2.
    def stage(name, cost, weights, lower, upper):
        return {
            "signal": name, "boundary": "B1", "cost": cost, "mean": 1.0, "deviation": 2.0, "intercept": 0.0,
            "weights": weights, "lower": lower, "upper": upper,
        }  # fmt: skip

    figure = {"value": 0.7, "low": 0.6, "high": 0.8}
    body = {
        "format": "homogaudit.cascade", "version": 1, "model": "m", "fingerprint": {}, "cost_kind": "calls",
        "stages": [stage("a", 0.0, [1.0], 0.4, 0.6), stage("b", 1.0, [1.0, 2.0], 0.5, 0.5)],
        "questions": 100, "incorrect": 50,
        "held_out": {
            "auroc": figure, "auroc_parallel": figure, "difference": figure, "saving": None, "recommended": False,
            "reason": "no",
        },
    }  # fmt: skip
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    body["checksum"] = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    cascade = Cascade.load(json.dumps(body))
    # z1 = 1: 1 / (1 + exp(-1)) = 0.731 > 0.6.
    first = cascade.decide({"a": 3.0})
    assert (first.flagged, first.stage, first.cost) == (True, "a", 0.0)
    assert first.probability == pytest.approx(1 / (1 + math.exp(-1)))
    # z1 = -1: 0.269 < 0.4.
    assert not cascade.decide({"a": -1.0}).flagged
    # z1 = 0.1: 0.525 escalates; z2 = -0.5: log-odds 0.1 - 1 = -0.9.
    second = cascade.decide({"a": 1.2, "b": 0.0})
    assert (second.flagged, second.stage, second.cost) == (False, "b", 1.0)
    assert second.probability == pytest.approx(1 / (1 + math.exp(0.9)))
    # z1 = z2 = 0: exactly on the cut.
    assert cascade.decide({"a": 1.0, "b": 1.0}).flagged
    # 100 deviations count as 4.
    assert cascade.decide({"a": 201.0}).probability == pytest.approx(1 / (1 + math.exp(-4)))


def test_a_signal_is_asked_for_only_when_the_cascade_gets_to_it(drawn, policy):
    signals, _ = drawn
    for column in signals.T:
        asked: list[str] = []

        def source(name: str, value: float, asked: list[str] = asked):
            return lambda: asked.append(name) or value

        names = [stage.signal for stage in policy.stages]
        lazy = {name: source(name, value) for name, value in zip(names, column, strict=True)}
        decision = Cascade(policy).decide(lazy)
        assert asked == names[: names.index(decision.stage) + 1]
        assert decision.cost == sum(stage.cost for stage in policy.stages[: len(asked)])


def test_a_missing_signal_is_an_error_only_where_it_is_needed(policy):
    top = policy.stages[0].mean + 4 * policy.stages[0].deviation
    assert Cascade(policy).decide({"token_entropy_mean": top}).flagged
    with pytest.raises(UsageError, match="needs the signal `token_entropy_mean`"):
        Cascade(policy).decide({"density": 0.1})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_undefined(policy, value: float):
    with pytest.raises(UndefinedStatisticError, match="`token_entropy_mean` is"):
        Cascade(policy).decide({"token_entropy_mean": value})


def test_a_file_edited_by_hand_is_refused(policy):
    edited = policy.to_json().replace('"recommended": false', '"recommended": true')
    if edited == policy.to_json():
        edited = policy.to_json().replace('"recommended": true', '"recommended": false')
    with pytest.raises(UsageError, match="checksum"):
        Cascade.load(edited)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: body.update(version=2), "version `1`"),
        (lambda body: body.update(version=True), "version `1`"),
        (lambda body: body.update(format="other"), "format"),
        (lambda body: body.update(extra=1), "`extra` is unknown"),
        (lambda body: body.pop("model"), "`model` is missing"),
        (lambda body: body.update(questions="many"), "`questions`: input should be a valid integer"),
        (lambda body: body.update(stages={}), "`stages`: input should be a valid array"),
        (lambda body: body["stages"][0].update(mean=None), "`stages.0.mean`: input should be a valid number"),
        (lambda body: body["stages"][0].update(deviation=0.0), "below 0"),
        (lambda body: body["stages"][1]["weights"].pop(), "stage `2` has `1` weights"),
        (lambda body: body["stages"][0].update(lower=0.9, upper=0.1), "not in order"),
        (lambda body: body["stages"][-1].update(lower=0.0, upper=1.0), "last stage"),
        (lambda body: body["stages"][0].update(signal=body["stages"][1]["signal"]), "named twice"),
        (lambda body: body.update(stages=body["stages"][:1]), "fewer than two stages"),
        (lambda body: body.update(fingerprint={"size": [1]}), "`fingerprint.size.(str|int)`: input should be"),
        (lambda body: body["held_out"].update(saving=3), "`held_out.saving`: input should be an object"),
    ],
)
def test_a_senseless_policy_is_refused(policy, change, reason: str):
    with pytest.raises(UsageError, match=reason):
        Policy.from_json(rewritten(policy, change))


@pytest.mark.parametrize("text", ["{", "{}", '{"format": NaN}', "{" * 100_000, '{"a":' * 100_000])
def test_text_that_is_no_policy_is_refused(text: str):
    with pytest.raises(UsageError, match="no policy"):
        Cascade.load(text)


def test_a_file_that_is_no_policy_is_refused(tmp_path):
    path = tmp_path / "policy.json"
    for raw in (b"[]", b"\xff\xfe{", b" " * (1 << 21)):
        path.write_bytes(raw)
        with pytest.raises(UsageError, match="no policy"):
            Cascade.load(path)
    for missing in (tmp_path / "absent.json", tmp_path, "a\0b"):
        with pytest.raises(UsageError, match="cannot read"):
            Cascade.load(missing)


def test_another_model_is_refused_unless_allowed(policy):
    cascade = Cascade(policy)
    cascade.require_model("test")
    # A renamed file is the same model; a whole-file hash that only one side has says nothing.
    cascade.require_model("renamed", {"size": 12, "head_sha256": "ab", "tail_sha256": "cd", "sha256": "ef"})
    with pytest.raises(ParametersDifferError, match="fitted for `test`"):
        cascade.require_model("other")
    with pytest.raises(ParametersDifferError, match="fitted for `test`"):
        cascade.require_model("test", {"size": 13, "head_sha256": "ab", "tail_sha256": "cd"})
    cascade.require_model("other", allow_other=True)


def test_a_policy_needs_the_questions_that_were_evaluated(drawn):
    signals, incorrect = drawn
    evaluation = evaluate_cascade(STAGES, signals, incorrect, [unit_costs(STAGES)], draws=20)
    with pytest.raises(ValueError, match="300 questions"):
        fit_policy(evaluation, signals[:, :200], incorrect[:200], model="test")


def halves_inside(signals: np.ndarray, incorrect: np.ndarray, splits: int) -> int:
    """How often a policy of one half saves on the other half what its interval says."""
    inside = 0
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(incorrect.size)
        one, other = np.array_split(order, 2)
        policy = fitted(signals[:, one], incorrect[one])
        saved = realised_saving(policy, decide_all(policy, signals[:, other]))
        predicted = policy.held_out.saving
        assert predicted is not None
        inside += predicted.low <= saved <= predicted.high
    return inside


def test_the_other_half_saves_what_the_interval_says(draw_signals):
    assert halves_inside(*draw_signals((0.7, 0.8), 600, 8), splits=8) >= 7


def test_the_other_half_of_the_recorded_run_saves_what_the_interval_says(recorded):
    signals = np.array([recorded.token_entropy_mean, recorded.density])
    assert halves_inside(signals, recorded.incorrect, splits=8) >= 7


def test_no_decisions_have_no_saving(policy):
    with pytest.raises(UndefinedStatisticError, match="`0` questions"):
        realised_saving(policy, [])
