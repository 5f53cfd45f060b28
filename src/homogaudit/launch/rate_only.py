"""What a run for the rate alone needs."""

from homogaudit.errors import UsageError
from homogaudit.launch.requests import RunRequest
from homogaudit.launch.until_decided import check_is_whole
from homogaudit.records import Decoding
from homogaudit.store.rate_only import AUDIT_SHARE, RateOnly

_FEW = 300
"""Questions below which asking fewer of them to the end is about as cheap for an interval of one width: too few are
audited to rule out reversals. Where hardly any question is single it is so with more of them too."""

WITHOUT = "draw all answers without `--rate-only`"


def few_questions(rule: RateOnly, questions: int) -> str | None:
    """Return what to know of a run for the rate alone with so few questions; `None` where they are enough."""
    if questions >= _FEW:
        return None
    return (
        f"with {questions} questions, {rule.audited_of(questions)} of them audited, `--rate-only` widens the interval "
        "by about as much as asking fewer questions would; it pays from some 300 on"
    )


def rate_rule(request: RunRequest, decoding: Decoding) -> RateOnly | None:
    """Return which questions are to be drawn no further than their first samples; `None` where all are drawn.

    Raises:
        UsageError: Something else that is asked for does not go with it.
    """
    if not request.rate_only:
        if request.audit_share is not None:
            raise UsageError("`--audit-share` is for runs with `--rate-only`", "leave it out")
        return None
    if request.until_decided:
        raise UsageError(
            "`--until-decided` counts questions that are drawn to the end, and `--rate-only` draws few of them so far",
            "leave one of them out",
        )
    check_is_whole(request, "--rate-only", WITHOUT)
    share = AUDIT_SHARE if request.audit_share is None else request.audit_share
    if not 0 < share < 1:
        raise UsageError(
            f"`--audit-share` must lie between 0 and 1, not `{share:g}`", f"the default is {AUDIT_SHARE:g}, 30%"
        )
    rule = RateOnly(share, request.seed)
    if decoding.samples <= rule.first:
        raise UsageError(
            f"`--rate-only` looks at {rule.first} samples before it draws more, and `--samples {decoding.samples}` "
            "leaves no more",
            WITHOUT,
        )
    return rule
