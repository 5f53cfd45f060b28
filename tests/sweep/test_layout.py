"""The sections of a sweep: what they say, and that every output can show them."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from homogaudit.records import Question
from homogaudit.report.console import render_sections
from homogaudit.report.glossary import lookup, lookup_all
from homogaudit.report.json import dumps
from homogaudit.report.markdown import sections_to_markdown
from homogaudit.report.schema import generate
from homogaudit.report.section import Section
from homogaudit.sweep.axes import KEYS
from homogaudit.sweep.build import build_sweep
from homogaudit.sweep.layout import sweep_sections
from homogaudit.sweep.records import Sweep
from homogaudit.sweep.schema import schema

QUESTIONS = [Question(f"q{x}", f"Where is town {x}?", None, ("Italy",), ("France",)) for x in range(24)]
COLD = {x.id: ("Italy", "Italy", "Italy") for x in QUESTIONS}
WARM = {x.id: ("Italy", "in Italy", "of France") for x in QUESTIONS}


@pytest.fixture
def sweep(make_sweep: Callable[..., Path]) -> Sweep:
    return build_sweep(make_sweep(["temperature=0,1"], QUESTIONS, COLD, WARM))


def console_text(shown: Sequence[Section], width: int = 80) -> str:
    out = io.StringIO()
    render_sections(shown, Console(file=out, width=width, color_system=None))
    return out.getvalue()


def test_the_terminal_shows_a_row_a_setting(sweep: Sweep):
    text = console_text(sweep_sections(sweep))
    assert max(map(len, text.splitlines())) <= 80
    rows = [line.split() for line in text.splitlines() if line.split()[:1] in (["0"], ["1"])]
    diversity, accuracy = rows[:2], rows[2:4]
    # 24 of 24 single: Clopper and Pearson's lower end is 0.025 ** (1 / 24) = 0.857.
    assert diversity[0] == ["0", "100%", "[85.8%,", "100%]", "24", "of", "24", "severe", "1.00", "yes"]
    assert diversity[1] == ["1", "0%", "[0%,", "14.2%]", "0", "of", "24", "at", "most", "mild", "2.00", "yes"]
    assert [[x[1], x[4]] for x in accuracy] == [["100%", "100%"], ["100%", "50.0%"]]


def test_a_setting_is_named_with_the_figures_of_the_second_half(sweep: Sweep):
    last = sweep_sections(sweep)[-1]
    assert last.title == "Which setting"
    assert [x.text for x in last.lines()][:2] == [
        "temperature 0 has the most clusters without a loss of accuracy: chosen on 12 questions, tested on 12 others.",
        "On the second half: SCR 100% [75.8%, 100%], sample accuracy 100%.",
    ]


def test_a_setting_that_is_not_shown_to_lose_little_is_not_named(make_sweep: Callable[..., Path]):
    right = {x.id: ("Italy", "in Italy", "Italy I think") for x in QUESTIONS}
    last = sweep_sections(build_sweep(make_sweep(["temperature=0,1"], QUESTIONS, COLD, right)))[-1]
    assert next(last.lines()).text == (
        "No setting is named: temperature 1 has the most clusters of those that seem to lose no accuracy, and is not "
        "shown to lose less than 5.0%."
    )


def test_settings_of_several_keys_are_numbered(make_sweep: Callable[..., Path]):
    over = ["temperature=0,1", "model=/models/a-long-name-of-a-model-that-goes-on-and-on.Q4_K_M.gguf", "n=2"]
    shown = sweep_sections(build_sweep(make_sweep(over, QUESTIONS, COLD, COLD, WARM, WARM)))
    keys, figures = list(shown[0].tables())
    assert [x.name for x in keys.columns] == ["setting", "model", "temperature", "n"]
    assert keys.rows[2].cells == ("3", "a-long-name-of-a-mode...", "0", "2")
    assert [x.cells[0] for x in figures.rows] == ["1", "2", "3", "4"]
    assert max(map(len, console_text(shown).splitlines())) <= 80


def test_texts_that_begin_alike_are_numbered_too(make_sweep: Callable[..., Path]):
    over = ["system=You are a helpful and brief assistant.", "system=You are a helpful and careful assistant."]
    shown = sweep_sections(build_sweep(make_sweep(over, QUESTIONS, COLD, WARM)))
    assert [len(table.rows) for section in shown for table in section.tables()] == [2, 2, 2, 2]


def test_every_term_and_every_word_over_a_column_is_explained(sweep: Sweep):
    shown = sweep_sections(sweep)
    terms = {term for section in shown for term in section.terms()}
    assert terms - lookup_all(terms).keys() == set()
    words = {x.name for section in shown for table in section.tables() for x in table.columns} - {""}
    for word in words - set(KEYS):
        assert lookup(word).definition


def test_markdown_has_the_same_tables(sweep: Sweep):
    text = sections_to_markdown("homogaudit sweep", sweep_sections(sweep))
    assert "| 0 | 100% | \\[85.8%, 100%\\] | 24 of 24 | severe | 1.00 | yes |" in text


def test_what_others_wrote_steers_no_terminal(make_sweep: Callable[..., Path]):
    folder = make_sweep(
        ["system=\x1b[31mred\x1b[0m", "system=plain"], QUESTIONS[:2], *[{x: COLD[x] for x in ("q0", "q1")}] * 2
    )
    text = console_text(sweep_sections(build_sweep(folder)))
    assert "\x1b" not in text
    assert "red" in text


def test_the_json_follows_its_schema_which_is_that_of_the_records(sweep: Sweep):
    assert schema() == json.loads(json.dumps(generate(Sweep, "sweep", 1)))
    values = json.loads(dumps(sweep))
    Draft202012Validator(schema()).validate(values)
    assert values["schema"] == "homogaudit.sweep/1"
    assert values["settings"][1]["setting"] == {"temperature": 1.0}
    assert values["choice"]["recommended"] is True


def test_every_key_of_the_json_is_explained():
    keys = {name for part in [schema(), *schema()["$defs"].values()] for name in part.get("properties", ())}
    assert keys - lookup_all(keys).keys() == set()
