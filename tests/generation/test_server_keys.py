import base64
import html
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.generation.server_keys import KeyScrubber

KEYS = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=16, max_size=60)


def lower_percent(key: str) -> str:
    return re.sub("%..", lambda found: found[0].lower(), quote(key, safe=""))


def every_percent(key: str) -> str:
    return "".join(f"%{ord(char):02x}" for char in key)


@given(KEYS, st.text(max_size=9), st.text(max_size=9))
def test_no_form_of_a_key_is_left_in_a_message(key: str, before: str, after: str) -> None:
    scrub = KeyScrubber(key).from_message
    forms = (str, repr, json.dumps, quote, lower_percent, html.escape, every_percent, lambda x: x.encode().hex())
    for form in forms:
        written = form(key)
        assert written not in scrub(f"{before}{written}{after}")
    for text in (f"{before}{key}{after}", f"Bearer {key}"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            coded = encode(text.encode()).decode()
            # Of the key's own characters at most two are left, which its neighbours share.
            assert len(scrub(coded)) <= len(coded) - len(key) + len("***")


def test_a_word_in_the_place_of_a_key_is_taken_out_of_messages_alone() -> None:
    scrubber = KeyScrubber("EMPTY")
    assert scrubber.from_message("key EMPTY, an empty reply") == "key ***, an empty reply"
    assert scrubber.from_answer("EMPTY") == "EMPTY"


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_texts_stay_as_they_are(key: str | None) -> None:
    assert KeyScrubber(key).from_message("a") == KeyScrubber(key).from_answer("a") == "a"
