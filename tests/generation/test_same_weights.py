"""One model by three engines through `homogaudit run`: the same sections, the same schema, and what a server lacks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from homogaudit.cli.app import run_app
from homogaudit.records import SampleSet
from homogaudit.report.build import build
from homogaudit.report.json import schema, to_json
from homogaudit.store import RunFile

QUESTIONS = [
    {"id": "bees", "question": "What do bees make?", "answers": ["honey"], "incorrect_answers": ["milk"]},
    {"id": "rome", "question": "Which country is Rome in?", "answers": ["Italy"], "incorrect_answers": ["France"]},
]
OPTIONS = ["-n", "3", "--max-tokens", "8", "--mode", "base", "--threads", "1", "--quiet"]


@dataclass(frozen=True)
class Audited:
    """What one engine left: the report, the draws, and each signal's reasons, empty for a value, by question."""

    report: dict[str, Any]
    draws: dict[str, SampleSet]
    reasons: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def audited(
    smollm_f16: Path, smollm_folder: Path, llama_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Audited]]:
    folder = tmp_path_factory.mktemp("runs")
    questions = folder / "questions.jsonl"
    questions.write_text("\n".join(map(json.dumps, QUESTIONS)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOMOGAUDIT_RUNS", str(folder))
        found: dict[str, Audited] = {}
        for name, model, options in (
            ("llama.cpp", str(smollm_f16), []),
            ("transformers", str(smollm_folder), ["--gpu-layers", "0"]),
            ("server", llama_server, ["--concurrency", "1"]),
        ):
            path = folder / f"{name}.audit"
            assert run_app(["run", model, str(questions), "-o", str(path), *OPTIONS, *options]) == 0
            found[name] = _audited(path)
        yield found


def _audited(path: Path) -> Audited:
    with RunFile.open(path) as run:
        signals = run.signals()
        return Audited(
            to_json(build(run)),
            {x.question.id: x for x in run.sample_sets()},
            {name: {key: x.reason or "" for key, x in values.items()} for name, values in signals.items()},
        )


def _sections(value: Any, names: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Return the paths of all keys; an undefined figure and a defined one are alike."""
    if not isinstance(value, dict) or "reason" in value or "value" in value:
        return {names}
    return {names}.union(*(_sections(item, (*names, key)) for key, item in value.items()))


def test_every_engine_gives_the_same_sections_under_the_same_schema(audited: dict[str, Audited]) -> None:
    reports = {name: x.report for name, x in audited.items()}
    for report in reports.values():
        Draft202012Validator(schema()).validate(report)
        assert report["run"]["status"] == "complete" and report["validity"]["questions_scored"] == 2
        # What the model is called and told of, and the phases of its work, are the engine's own.
        report["run"]["model_details"] = report["run"]["phases"] = None
    expected = _sections(reports["llama.cpp"])
    assert ("signals", "semantic_energy", "auroc") in expected
    assert [name for name, report in reports.items() if _sections(report) != expected] == []


def test_the_same_weights_give_the_same_tokens_in_every_engine(audited: dict[str, Audited]) -> None:
    for question in QUESTIONS:
        greedy = [x.draws[str(question["id"])].greedy for x in audited.values()]
        answers = [x.statistics for x in greedy if x is not None]
        llama, torch, server = answers
        assert llama.token_ids is not None and torch.token_ids is not None
        assert llama.token_ids.tolist() == torch.token_ids.tolist()
        assert len({x.answer for x in greedy if x is not None}) == 1
        for other in (torch, server):
            np.testing.assert_allclose(other.logprobs, llama.logprobs, atol=0.05)  # type: ignore[arg-type]
        np.testing.assert_allclose(torch.entropies, llama.entropies, atol=0.05)  # type: ignore[arg-type]
        # Of a server the stored entropy of a greedy token is its lower bound.
        assert server.entropies is not None and llama.entropies is not None
        assert (server.entropies > 0).all() and (server.entropies < llama.entropies + 0.05).all()


def test_a_signal_that_a_server_cannot_give_is_undefined_with_a_reason(audited: dict[str, Audited]) -> None:
    given = {name: {n for n, rows in x.reasons.items() if "" in rows.values()} for name, x in audited.items()}
    for names in given.values():
        # Whether a reply holds a confidence is up to the model's own words.
        names.discard("verbalized_confidence")
    assert given["llama.cpp"] == given["transformers"]
    lacking = given["llama.cpp"] - given["server"]
    assert {"mars"} <= lacking <= {"mars", "semantic_energy"}
    assert given["server"] <= given["llama.cpp"]
    assert set(audited["server"].reasons["mars"].values()) == {"the texts of the answer's tokens are not known"}
    for name in lacking:
        assert all(audited["server"].reasons[name].values())
        assert audited["server"].report["signals"][name]["auroc"]["value"] is None
