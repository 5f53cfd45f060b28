"""Protocols carried out with the real commands, in this process, on recordings made here."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from homogaudit.errors import UsageError
from homogaudit.protocols import Runner, read_protocol
from homogaudit.protocols.layout import result_section
from homogaudit.protocols.records import Measured
from homogaudit.protocols.running import Outcome, Request
from homogaudit.records import Question
from homogaudit.report.undefined import Undefined
from homogaudit.store import RunFile

DOMAIN_ZONES = read_protocol("domain-zones")


def test_a_recording_takes_the_place_of_the_run(tmp_path: Path, record: Callable[..., Path], commands):
    file = record("answers.jsonl")
    request = Request(folder=tmp_path / "kept", runs=((None, file),), quiet=True)
    found = Runner(request, commands).run(DOMAIN_ZONES)
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    expected = roc_auc_score(
        [row["label"] == "incorrect" for row in rows], [np.mean(row["greedy"]["token_entropies"]) for row in rows]
    )
    first = next(x for x in found.figures if x.name == "AUROC of token entropy")
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


def test_the_table_shows_both_figures_and_what_is_missing(tmp_path: Path, record: Callable[..., Path], commands):
    request = Request(folder=tmp_path / "kept", runs=((None, record("answers.jsonl")),), quiet=True)
    found = Runner(request, commands).run(DOMAIN_ZONES)
    section = result_section(found)
    assert section.title == "1. Where token entropy works (domain-zones)"
    rows = {row.cells[0]: row.cells for table in section.tables() for row in table.rows}
    share, auroc = rows["answers labelled right or wrong"], rows["AUROC of token entropy"]
    assert share == ("answers labelled right or wrong", "50.8%", "100%", "[94.0%, 100%]", "60 of 60", "no")
    assert auroc[1] == "0.520" and auroc[4] == "60"
    assert any("Qwen3-14B, n 401; repository, results/v1a_report.md" in line.text for line in section.lines())
    empty = result_section(Runner(Request(folder=tmp_path), commands).run(DOMAIN_ZONES))
    assert [line.text for line in empty.lines() if line.tone == "warning"] == ["needs `--model MODEL`"]
    assert {row.cells[2] for table in empty.tables() for row in table.rows} == {"-"}


def test_a_run_that_was_stopped_is_not_taken_for_a_whole_one(tmp_path: Path):
    def stopped(arguments: Sequence[str]) -> Outcome:
        path = Path(arguments[arguments.index("-o") + 1])
        questions = [Question("q", "Who?")]
        RunFile.create(path, model="m", question_source="q", questions=questions, parameters={}).close()
        return Outcome(4, '{"schema": "homogaudit.report/2"}')

    found = Runner(Request(folder=tmp_path, roles={"model": "demo"}), stopped).run(DOMAIN_ZONES)
    (missing,) = found.missing
    assert missing.startswith("step `answers`: `") and missing.endswith("is not complete")
