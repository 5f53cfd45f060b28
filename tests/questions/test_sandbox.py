import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from homogaudit.questions import sandbox
from homogaudit.questions.sandbox import CompiledTemplate, TemplateFailure

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def render(source: str, **variables: object) -> str:
    return CompiledTemplate(source, now=NOW).render(variables)


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{{ b }}0123456789{% endfor %}{% endfor %}",
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * 'a' }}",
        "{{ [1] * 10**9 }}",
        "{{ 10 ** (10 ** 10) }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=9) %}{% for i in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ '%999999999d' | format(1) }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ '{:{}}'.format(1, 999999999) }}",
        "{{ 'a'.center(999999999) }}",
        "{{ 'a'.zfill(999999999) }}",
        "{{ 'a' | center(999999999) }}",
        "{{ 'a\nb' | indent(width=999999999) }}",
        "{{ ('a' * 99999).replace('a', 'a' * 99999) }}",
        "{{ ('a' * 99999) | replace('a', 'a' * 99999) }}",
        "{{ ('a' * 99999).join(range(99999) | list) }}",
        "{{ range(99999) | join('a' * 99999) }}",
        "{{ range(99999) | map('string') | map('center', 99999) | join }}",
        "{{ ''.join(range(99999) | map('string') | map('center', 99999)) }}",
        "{{ ('{0}' * 9999).format('a' * 99999) }}",
        "{{ [1] | slice(999999999) | list }}",
        "{{ range(10**9) }}",
        "{{ lipsum(10**6) }}",
    ],
)
def test_a_runaway_template_is_stopped(source: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sandbox, "MAX_SECONDS", 0.2)
    with pytest.raises(TemplateFailure) as caught:
        render(source)
    assert caught.value.reason.isprintable()


@pytest.mark.parametrize("can_limit", [True, False], ids=["limit", "looked_at"])
@pytest.mark.parametrize(
    "source",
    [
        "{{ (1).to_bytes(1999999999, 'big') }}",
        "{{ '\\t'.encode().expandtabs(2000000000) }}",
        "{{ ('%9999999d' % 1) * 99 }}",
        "{% set a = ['aaaaaaaaaa'] * 1000 %}{% set b = [a] * 1000 %}{% set c = [b] * 1000 %}{{ c }}",
        "{% set x = 'a' * 9999999 %}{{ [" + "x," * 400 + "] | string }}",
        "{% set ns = namespace(l=['a']) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
    ],
)
def test_no_operation_takes_more_memory_than_a_template_may(
    source: str, can_limit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if can_limit and sys.platform != "linux":
        pytest.skip("this system does not hold a process to its bound")
    monkeypatch.setattr(sandbox, "_CAN_LIMIT_MEMORY", can_limit)
    sandbox.close_renderer()
    with pytest.raises(TemplateFailure, match=r"memory|ran for more than") as caught:
        render(source)
    assert caught.value.went_too_far
    assert render("{{ 1 }}") == "1"
    sandbox.close_renderer()


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1.5 | round(9999999, 'ceil') }}",
        "{{ 10 ** 99999999 == 1 }}",
        "{{ ('a ' * 3000000) | wordwrap(1) | length }}",
        "{{a}}" * 190_000,
        "{{ ([3, 1, 2] * 3000000) | sort | length }}",
    ],
)
def test_one_long_operation_ends_in_time_as_a_long_loop_does(source: str) -> None:
    before = _cpu_seconds_of_ended_children()
    with pytest.raises(TemplateFailure, match=r"it ran for more than 1\.5 s|memory"):
        render(source)
    assert _cpu_seconds_of_ended_children() - before < 2 * sandbox.MAX_SECONDS


def _cpu_seconds_of_ended_children() -> float:
    sandbox.close_renderer()
    times = os.times()
    return times.children_user + times.children_system


def test_the_trials_of_a_slow_template_share_the_time_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MAX_SECONDS", 0.6)
    slow = "{% for a in range(99999) %}{% for b in range(4) %}{% endfor %}{% endfor %}"
    template = CompiledTemplate(slow, now=NOW)
    with pytest.raises(TemplateFailure, match=r"it ran for more than 0\.6 s"):
        for _ in range(100):
            template.render({}, is_trial=True)


def test_a_request_is_not_read_in_the_time_that_the_one_before_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    long = CompiledTemplate("{{ x | length }}", now=NOW)
    monkeypatch.setattr(sandbox, "MAX_SECONDS", 0.05)
    assert render("{{ 1 }}") == "1"
    monkeypatch.setattr(sandbox, "MAX_SECONDS", 30.0)
    # Reading so many numbers takes more than 0.05 s.
    assert long.render({"x": [0] * 5_000_000}) == "5000000"


def test_a_renderer_that_is_gone_is_started_anew() -> None:
    template = CompiledTemplate("{{ x }}", now=NOW)
    sandbox.close_renderer()
    assert template.render({"x": "y"}) == "y"


def test_a_failure_names_the_templates_line() -> None:
    with pytest.raises(TemplateFailure, match="division by zero") as caught:
        render("a\n{{ 1 / 0 }}")
    assert (caught.value.line, caught.value.went_too_far) == (2, False)


def test_the_renderer_imports_nothing_of_this_project_and_nothing_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.close_renderer()
    for name in ("jinja2", "json", "homogaudit"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    assert render("{{ 1 }}") == "1"
    assert not (tmp_path / "executed").exists()
    source = Path(sandbox.__file__).with_name("template_process.py").read_text()
    assert not re.search(r"^\s*(from|import) homogaudit", source, re.MULTILINE)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ x ~ 1 ~ none }}", "<é>1None"),
        ("{{ x | tojson }}", '"<é>"'),
        ("{{ {'b': [1, true], 'a': x} | tojson(indent=1) }}", '{\n "b": [\n  1,\n  true\n ],\n "a": "<é>"\n}'),
        (
            "{% for i in 'abcd' %}{% if i == 'b' %}{% continue %}{% elif i == 'd' %}{% break %}{% endif %}"
            "{{ i }}{% endfor %}",
            "ac",
        ),
        ("  {% if true %}\n  yes\n  {% endif %}\nend\n", "  yes\nend"),
        ("{% generation %}{{ x }}{% endgeneration %}!", "<é>!"),
        ("{{ strftime_now('%Y-%m-%d') }}", "2026-03-01"),
        ("{{ '**%s** and %05.1f' % (x, 2) }} {{ 'room 12345 {}'.format(x) }}", "**<é>** and 002.0 room 12345 <é>"),
        ("{{ '%s-%s' | format(1, 2) }} {{ 'a,b'.split(',') | join('|') }} {{ 2 ** 10 }} {{ 7 % 4 }}", "1-2 a|b 1024 3"),
        ("{{ 'ab' * 2 }}{{ [1] + [2] }}{{ 1.5 * 2 + 1 }}", "abab[1, 2]4.0"),
        ("{{ [{'a': 2}, {'a': 1}] | map(attribute='a') | sort | list }}", "[1, 2]"),
        ("{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}", "1213"),
    ],
)
def test_what_chat_templates_use_works(source: str, expected: str):
    assert render(source, x="<é>") == expected


def test_the_bounds_leave_long_conversations_alone():
    text = "word " * 40_000
    assert render("{{ x.replace('</think>', '') | trim }}", x=text) == text.strip()
    assert render("{{ 'a' + x.split('</think>')[-1] ~ 'b' }}", x=text) == f"a{text}b"
