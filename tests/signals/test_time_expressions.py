import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.signals.time_expressions import time_expressions

ASKED = date(2026, 3, 15)
SAMPLES = Path(__file__).parents[2] / "samples"

ABSOLUTE = [
    ("What happened on 2024-06-05?", "2024-06-05", "2024-06-05"),
    ("What happened on 5 June 2024?", "2024-06-05", "2024-06-05"),
    ("What happened on the 5th of June, 2024?", "2024-06-05", "2024-06-05"),
    ("What happened on June 5, 2024?", "2024-06-05", "2024-06-05"),
    ("What happened on Sept. 5 2024?", "2024-09-05", "2024-09-05"),
    ("Who won in November 2024?", "2024-11-01", "2024-11-30"),
    ("Who won in feb 2024?", "2024-02-01", "2024-02-29"),
    ("Who left in May of 2025?", "2025-05-01", "2025-05-31"),
    ("Who toured in summer 2024?", "2024-06-01", "2024-08-31"),
    ("Who toured in the fall of 2024?", "2024-09-01", "2024-11-30"),
    ("What were sales in Q3 2024?", "2024-07-01", "2024-09-30"),
    ("What were sales in the second quarter of 2024?", "2024-04-01", "2024-06-30"),
    ("Who led in early 2024?", "2024-01-01", "2024-04-30"),
    ("Who led in mid-2024?", "2024-05-01", "2024-08-31"),
    ("Who led at the end of 2024?", "2024-09-01", "2024-12-31"),
    ("Who led in the second half of 2024?", "2024-07-01", "2024-12-31"),
    ("What was built in the 1980s?", "1980-01-01", "1989-12-31"),
    ("What was sung in the '90s?", "1990-01-01", "1999-12-31"),
    ("What changed in the 1900s?", "1900-01-01", "1999-12-31"),
    ("What changed in the 2000s?", "2000-01-01", "2009-12-31"),
    ("What was built in the 19th century?", "1801-01-01", "1900-12-31"),
    ("Who hosted the Games in 2024?", "2024-01-01", "2024-12-31"),
    ("Who hosted the 2024 Games?", "2024-01-01", "2024-12-31"),
]

RELATIVE = [
    ("Who is the current mayor?", "2026-03-15"),
    ("Who is currently mayor?", "2026-03-15"),
    ("Who is mayor now?", "2026-03-15"),
    ("Who is mayor today?", "2026-03-15"),
    ("As of today, who is mayor?", "2026-03-15"),
    ("What do people wear nowadays?", "2026-03-15"),
    ("What do people wear these days?", "2026-03-15"),
    ("What is the latest version?", "2026-03-15"),
    ("What is the newest phone?", "2026-03-15"),
    ("What is the most recent film?", "2026-03-15"),
    ("What was found recently?", "2026-03-15"),
    ("What grew in recent years?", "2026-03-15"),
    ("Who is the incumbent?", "2026-03-15"),
    ("Who is the sitting president?", "2026-03-15"),
    ("Who is the reigning champion?", "2026-03-15"),
    ("Is he still alive?", "2026-03-15"),
    ("Who earned most this year?", "2026-03-15"),
    ("Who earned most this decade?", "2026-03-15"),
    ("What is the record to date?", "2026-03-15"),
    ("How many have there been so far?", "2026-03-15"),
    ("What will be shown at the upcoming fair?", "2026-03-15"),
    ("What grew over the last ten years?", "2026-03-15"),
    ("Who won last week?", "2026-03-15"),
    ("Who won last year?", "2025-12-31"),
    ("Who won last year's final?", "2025-12-31"),
    ("Who won last month?", "2026-02-28"),
    ("Who won yesterday?", "2026-03-14"),
    ("Who plays tomorrow?", "2026-03-16"),
    ("Who plays next year?", "2027-12-31"),
    # 15 March 2026 - round(3 x 365.25) = 1,096 days, and - 5 days
    ("Who ruled three years ago?", "2023-03-15"),
    ("Who ruled 5 days ago?", "2026-03-10"),
]

TIMELESS = [
    "Which way does the current in the wire flow?",
    "What drives an ocean current north?",
    "What is an electric current made of?",
    "How long did the war last?",
    "What was the last year of the war?",
    "What was the last year the club won?",
    "When must it arrive at the latest?",
    "Who is the pope?",
    "What is Constantinople now called?",
    "Who was the then-current mayor?",
    "How far is the Sun from the Earth, and is it so far from Mars?",
    "How do I ask a girl to date me?",
    "Which is the most recent common ancestor of both?",
    'Who wrote "Now and Then" and "2001"?',
    "Who wrote “The Day Today”?",
    "How many people live in a town of 2,024 houses?",
    "Is it 2024 meters high?",
    "Does a body burn 2000 calories a day?",
    "What do people do in their 20s?",
    "What is $2024 in euros?",
    "What is the product code 12024?",
    "Who ruled the city in 44 BC?",
    "",
]


@pytest.mark.parametrize(("question", "first", "last"), ABSOLUTE)
def test_dates_are_found_with_their_first_and_last_day(question: str, first: str, last: str) -> None:
    for asked in (ASKED, None):
        found = time_expressions(question, asked)
        assert [(str(x.first), str(x.last)) for x in found] == [(first, last)]


@pytest.mark.parametrize(("question", "last"), RELATIVE)
def test_what_is_relative_counts_from_the_day_of_asking(question: str, last: str) -> None:
    found = time_expressions(question, ASKED)
    assert [str(x.last) for x in found] == [last]
    unknown = time_expressions(question, None)
    assert [(x.text, x.first, x.last) for x in unknown] == [(found[0].text, None, None)]


@pytest.mark.parametrize("question", TIMELESS)
def test_what_only_looks_like_time_is_none(question: str) -> None:
    assert time_expressions(question, ASKED) == ()


def test_several_expressions_come_in_their_order() -> None:
    found = time_expressions("From 2019-2024 and now, after May 2025?", ASKED)
    assert [(x.text, str(x.last)) for x in found] == [
        ("2019", "2019-12-31"),
        ("2024", "2024-12-31"),
        ("now", "2026-03-15"),
        ("May 2025", "2025-05-31"),
    ]


def test_a_day_that_does_not_exist_is_read_as_its_year() -> None:
    assert [x.text for x in time_expressions("What happened on 2024-02-31?", ASKED)] == ["2024"]


def test_the_time_sensitive_samples_are_found_and_their_controls_are_not() -> None:
    lines = (SAMPLES / "time_sensitive.jsonl").read_text(encoding="utf-8").splitlines()
    wrong = [
        row["question"]
        for row in map(json.loads, lines)
        if bool(time_expressions(row["question"], ASKED)) != (row["category"] != "control")
    ]
    assert wrong == []


@given(st.text(alphabet="01249 -/'.,:smaygodecfirtl", max_size=40), st.dates())
def test_no_text_and_no_day_break_it(text: str, asked: date) -> None:
    for expression in time_expressions(text, asked):
        assert expression.first is not None
        assert expression.last is not None
        assert expression.first <= expression.last
        assert expression.text in text
