import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.errors import UsageError
from homogaudit.store.shards import Shards


@given(st.integers(1, 40), st.data())
def test_every_question_is_in_one_shard_and_shards_differ_in_size_by_one_at_most(of: int, data: st.DataObject) -> None:
    questions = list(range(data.draw(st.integers(of, 100))))
    parts = [Shards((number,), of).take(questions) for number in range(1, of + 1)]
    assert sorted(question for part in parts for question in part) == questions
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_shard_is_every_nth_question_from_the_kth_on() -> None:
    assert Shards.parse("2/3").take("abcdefg") == ["b", "e"]
    assert Shards((1, 3), 3).positions(7) == [0, 2, 3, 5, 6]


def test_what_is_missing_is_named() -> None:
    shards = Shards((1, 4), 4)
    assert shards.missing == (2, 3)
    assert (str(shards), str(Shards((2,), 8))) == ("shards 1, 4 of 4", "shard 2/8")
    assert Shards.of_parameters({"shard": shards.as_parameter()}) == shards
    assert Shards.of_parameters({}).missing == ()


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "-1/3", "1/0", "a/b", "1/3/5", "1.0/3", "1/1000000000"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a shard"):
        Shards.parse(text)


def test_more_shards_than_questions_are_refused() -> None:
    with pytest.raises(UsageError, match="3 questions cannot be cut into 4 shards"):
        Shards((1,), 4).take("abc")
