import sys
from datetime import UTC, datetime

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


def test_a_runaway_template_names_its_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sandbox, "MAX_SECONDS", 0.05)
    with pytest.raises(TemplateFailure, match=r"it ran for more than 0\.05 s") as caught:
        render("a\n{% for a in range(99999) %}{% for b in range(99999) %}\n{% endfor %}{% endfor %}")
    assert caught.value.line in (2, 3)


def test_the_trace_function_that_was_there_is_put_back():
    before = sys.gettrace()
    render("{{ 1 }}")
    with pytest.raises(TemplateFailure):
        render("{{ 1 / 0 }}")
    assert sys.gettrace() is before


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
