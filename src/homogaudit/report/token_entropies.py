"""Where the token entropies of a run come from: exact from a local model, bounded or absent from a server.

Reads what the sessions say of their engine; it computes no entropy.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from homogaudit.codec import finite
from homogaudit.report.records import EntropyBounds, TokenEntropies
from homogaudit.report.run_data import RunData, mapping
from homogaudit.report.undefined import Undefined

_EXACT = Undefined("the entropies are exact")
_RECORDED = Undefined("the entropies came with the answers")


def token_entropies(data: RunData) -> TokenEntropies:
    """Return the source of the entropies, and how far their bounds lie apart."""
    if data.run.is_recorded:
        return TokenEntropies("recorded", "", None, _RECORDED, _RECORDED)
    if data.run.model_source.kind != "server":
        return TokenEntropies("exact", "", None, _EXACT, _EXACT)
    details = [mapping(x.provenance.get("details")) for x in data.sessions if x.kind == "generate"]
    told = [found for found in details if "token_entropies" in found]
    if not told:
        nothing = Undefined("nothing was drawn")
        return TokenEntropies("not available", nothing.reason, None, nothing, nothing)
    last = told[-1]
    greedy, samples = (
        _bounds(told, kind, drawn) for kind, drawn in zip(("greedy", "samples"), data.run.drawn_tokens(), strict=True)
    )
    is_bounded = isinstance(greedy, EntropyBounds) or isinstance(samples, EntropyBounds)
    reason = "" if is_bounded else greedy.reason if isinstance(greedy, Undefined) else ""
    top_k = finite(last.get("top_logprobs"))
    return TokenEntropies(
        "bounded" if is_bounded else "not available", reason, int(top_k) if top_k else None, greedy, samples
    )


def _bounds(details: Sequence[Mapping[str, Any]], kind: str, drawn: int) -> EntropyBounds | Undefined:
    """Return the bounds of one kind of answers over all sessions.

    Args:
        details: Of the sessions.
        kind: `greedy` or `samples`.
        drawn: Tokens of such answers in the run file.
    """
    rows = [mapping(mapping(found.get("token_entropy_bounds")).get(kind)) for found in details]
    rows = [row for row in rows if finite(row.get("tokens")) and finite(row.get("low")) is not None]
    tokens = sum(int(row["tokens"]) for row in rows)
    if not tokens:
        reasons = [str(mapping(found.get("no_token_entropies")).get(kind) or "") for found in details]
        return Undefined(
            next((reason for reason in reversed(reasons) if reason), "no answer came with log-probabilities")
        )
    low = sum(row["low"] * row["tokens"] for row in rows) / tokens
    # A killed session may have told of a draw that it did not store.
    share = min(1.0, tokens / drawn) if drawn else 0.0
    if any(finite(row.get("high")) is None for row in rows):
        unknown = Undefined("the server does not tell the size of its vocabulary")
        return EntropyBounds(low, unknown, unknown, tokens, share)
    high = sum(row["high"] * row["tokens"] for row in rows) / tokens
    return EntropyBounds(low, high, high - low, tokens, share)
