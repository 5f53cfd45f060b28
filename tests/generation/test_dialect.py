import pytest

from homogaudit.generation.dialect import Dialect, least_tokens, payload
from homogaudit.records import Decoding


@pytest.mark.parametrize(
    ("reason", "least"),
    [
        ("Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 12 instead.", 16),
        ("max_tokens must be at least 16, got 12", 16),
        ("max_completion_tokens: Input should be greater than or equal to 20", 20),
        ("max_tokens must be greater than 15", 16),
        ("max_tokens should be > 15", 16),
        ("the minimum number of output tokens is 50", 50),
        ("max_tokens must be no less than 16", 16),
        ("max_tokens is too small", 16),
        # Not about the limit, too much rather than too little, or less than was asked for.
        ("top_k must be >= 16", None),
        ("max_tokens is too large: 12", None),
        ("This model's maximum context length is 4096 tokens", None),
        ("max_tokens must be at least 1", None),
        ("Unrecognized request argument supplied: max_tokens", None),
    ],
)
def test_the_least_number_of_tokens_is_read_from_a_refusal(reason: str, least: int | None) -> None:
    assert least_tokens(reason, 12) == least


@pytest.mark.parametrize(
    ("reason", "left_out", "kept"),
    [
        ("Unrecognized request argument supplied: min_p", {"min_p", "top_k"}, {"seed", "logprobs"}),
        ("LOGPROBS are not supported", {"top_logprobs"}, {"top_k"}),
        ("Penalty is not enabled for this model", {"presence_penalty"}, {"seed"}),
        ("`temperature` and `top_p` cannot both be specified", {"top_p"}, {"temperature"}),
        ("`n` must be 1", {"n"}, {"seed"}),
    ],
)
def test_what_a_refusal_names_is_left_out(reason: str, left_out: set[str], kept: set[str]) -> None:
    dialect: Dialect | None = Dialect()
    while dialect is not None and left_out & _request(dialect).keys():
        dialect = dialect.without(reason)
    assert dialect is not None and kept <= _request(dialect).keys()


def test_a_refusal_that_names_nothing_leaves_nothing_out() -> None:
    assert Dialect().without("Bad Request") is None


def test_all_additions_to_a_bare_dialect_make_the_rich_one() -> None:
    dialect = Dialect().bare()
    assert _request(dialect).keys() == {"stream", "max_tokens", "messages"}
    while richer := dialect.additions():
        dialect = richer[0]
    assert _request(dialect) == _request(Dialect())


def test_a_run_s_own_top_p_is_sent_where_a_neutral_one_is_not() -> None:
    dialect = Dialect(neutral_top_p=False)
    assert "top_p" not in _request(dialect)
    assert _request(dialect, Decoding(top_p=0.9))["top_p"] == 0.9


def _request(dialect: Dialect, decoding: Decoding | None = None) -> dict[str, object]:
    return payload(
        dialect,
        model=None,
        prompt="?",
        system="",
        decoding=decoding or Decoding(),
        temperature=1.0,
        max_tokens=12,
        seed=1,
    )
