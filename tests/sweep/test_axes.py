"""What `--over` takes, and the settings that it makes."""

import pytest

from homogaudit.errors import UsageError
from homogaudit.sweep.axes import drawn_settings, parse_axes, read_settings, setting_text


def test_values_are_numbers_where_the_key_has_numbers():
    (temperature,) = parse_axes(["temperature=0.3, 1"], "demo")
    assert temperature.values == (0.3, 1.0)
    (tokens,) = parse_axes(["max_tokens=10,20"], "demo")
    assert [type(x) for x in tokens.values] == [int, int]


def test_every_combination_is_drawn_but_of_what_is_read_from_one_run():
    axes = parse_axes(["n=2,3", "temperature=0.3,1.0", "mode=base,chat"], "demo")
    assert drawn_settings(axes) == [
        {"mode": "base", "temperature": 0.3},
        {"mode": "base", "temperature": 1.0},
        {"mode": "chat", "temperature": 0.3},
        {"mode": "chat", "temperature": 1.0},
    ]
    assert read_settings(axes) == [{"n": 2}, {"n": 3}]


def test_sample_sizes_alone_need_one_run():
    assert drawn_settings(parse_axes(["n=3,5,10"], "demo")) == [{}]


def test_a_system_line_is_one_value_with_its_commas():
    (system,) = parse_axes(["system=Be brief, please.", "system="], "demo")
    assert system.values == ("Be brief, please.", "")
    assert setting_text({"system": ""}) == "system (none)"


def test_the_model_of_the_command_is_the_first_of_those_swept():
    (model,) = parse_axes(["model=other.gguf"], "demo")
    assert model.values == ("demo", "other.gguf")
    (model,) = parse_axes(["model=other.gguf,demo"], "demo")
    assert model.values == ("demo", "other.gguf")


@pytest.mark.parametrize(
    ("over", "named"),
    [
        (["temperature"], "has no values"),
        (["temprature=1,2"], "`temprature`"),
        (["temperature=1,hot"], "`hot`"),
        (["max_tokens=1.5,2"], "not a whole number"),
        (["temperature=1,1.0"], "twice"),
        (["mode=base,"], "empty value"),
        (["threshold=0.5,1.5"], "`1.5`"),
        (["temperature=1"], "two settings"),
        ([], "two settings"),
    ],
)
def test_what_makes_no_sweep_is_refused(over: list[str], named: str):
    with pytest.raises(UsageError) as caught:
        parse_axes(over, "demo")
    assert named in caught.value.message
