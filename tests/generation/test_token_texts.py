import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.generation.token_texts import answer_token_texts, texts_of_pieces
from homogaudit.records import TokenStatistics


def test_a_character_spread_over_tokens_belongs_to_the_last_of_them():
    assert texts_of_pieces(["Zü".encode()[:2], "ü".encode()[1:], b" rich"]) == ("Z", "ü", " rich")


def test_bytes_that_are_no_text_are_replaced_and_none_is_lost():
    assert texts_of_pieces([b"a\xff", b"b", "é".encode()[:1]]) == ("a�", "b", "�")


@given(st.text(), st.lists(st.integers(0, 60)))
def test_however_a_text_is_cut_its_pieces_join_to_it(text: str, cuts: list[int]):
    encoded = text.encode("utf-8", "replace")
    edges = [0, *sorted(min(cut, len(encoded)) for cut in cuts), len(encoded)]
    pieces = [encoded[start:end] for start, end in itertools.pairwise(edges)]
    assert "".join(texts_of_pieces(pieces)) == encoded.decode()


def test_the_texts_of_an_answer_leave_its_thinking_out_and_cut_no_character():
    ids, mask = np.array([7, 8, 9, 7], np.int32), np.array([False, True, True, True])
    pieces = {7: b" a", 8: "é".encode()[:1], 9: "é".encode()[1:]}
    statistics = TokenStatistics(ids, answer_mask=mask)
    assert answer_token_texts(statistics, lambda wanted: {x: pieces[x] for x in wanted}) == ("", "é", " a")
    assert answer_token_texts(statistics, lambda wanted: {7: b" a"}) is None
    assert answer_token_texts(TokenStatistics(), lambda wanted: pieces) is None
