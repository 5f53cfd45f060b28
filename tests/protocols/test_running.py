"""Protocols carried out with the real commands, in this process, on recordings made here."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from homogaudit.errors import UsageError
from homogaudit.protocols import Runner, read_protocol
from homogaudit.protocols.records import Measured
from homogaudit.protocols.running import Request
from homogaudit.report.undefined import Undefined

DOMAIN_ZONES = read_protocol("domain-zones")


def test_a_recording_takes_the_place_of_the_run(tmp_path: Path, record: Callable[..., Path], commands):
    file = record("answers.jsonl")
    request = Request(folder=tmp_path / "kept", runs=((None, file),), quiet=True)
    found = Runner(request, commands).run(DOMAIN_ZONES)
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    expected = roc_auc_score(
        [row["label"] == "incorrect" for row in rows], [np.mean(row["greedy"]["token_entropies"]) for row in rows]
    )
    first = found.figures[0]
    assert isinstance(first.measured, Measured)
    assert first.measured.value == pytest.approx(expected) and first.measured.n == 60
    assert first.published is not None and first.published.value == 0.5196
    assert first.agrees is (first.measured.low <= 0.5196 <= first.measured.high)
    assert [command[0] for command in commands.given] == ["import", "report"]
    # Asked again, nothing is imported a second time.
    assert Runner(request, commands).run(DOMAIN_ZONES) == found
    assert [command[0] for command in commands.given] == ["import", "report", "report"]


def test_without_a_model_the_protocol_says_what_it_needs(tmp_path: Path, commands):
    found = Runner(Request(folder=tmp_path), commands).run(DOMAIN_ZONES)
    assert not found.is_measured and found.missing == ("needs `--model MODEL`",)
    assert {x.measured for x in found.figures} == {Undefined("needs `--model MODEL`")}
    assert commands.given == []


def test_a_command_that_fails_gives_its_message(tmp_path: Path, commands):
    request = Request(folder=tmp_path, roles={"model": str(tmp_path / "none.gguf")})
    found = Runner(request, commands).run(DOMAIN_ZONES)
    assert len(found.missing) == 1 and "none.gguf" in found.missing[0]
    assert found.missing[0].startswith("step `answers`: ")


def test_a_run_for_a_step_that_is_not_drawn_is_refused(tmp_path: Path, commands):
    request = Request(folder=tmp_path, runs=(("base", tmp_path / "x"),))
    with pytest.raises(UsageError, match="has no run `base`"):
        Runner(request, commands).run(DOMAIN_ZONES)
