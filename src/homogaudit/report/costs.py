"""What one question of a run cost, by what signals are computed from: answers, embeddings, calls."""

from collections.abc import Mapping
from dataclasses import dataclass

from homogaudit.report.evidence import Evidence, mapping
from homogaudit.store.run_file import RunFile

__all__ = ["ResourceCosts", "resource_costs"]


@dataclass(frozen=True, slots=True)
class ResourceCosts:
    """Means over the scored questions; a resource that was not measured is left out.

    Attributes:
        seconds: Wall time a question, by key of `signals.signal.RESOURCES`.
        tokens: Tokens a question, likewise.
        price: Of a million tokens, `None` where models.toml names none for this model.
    """

    seconds: Mapping[str, float]
    tokens: Mapping[str, float]
    price: float | None


def resource_costs(run: RunFile, evidence: Evidence) -> ResourceCosts:
    """Return what the scored questions of a run cost on average, and the model's price."""
    scored = {x.question.id for x in evidence.scored}
    seconds: dict[str, list[float]] = {}
    tokens: dict[str, list[int]] = {}
    for cost in run.costs():
        if cost.question_id in scored:
            seconds.setdefault(cost.resource, []).append(cost.seconds)
            tokens.setdefault(cost.resource, []).append(cost.tokens)
    price = mapping(run.meta("model_entry")).get("price_per_million_tokens")
    return ResourceCosts(
        {resource: sum(values) / len(values) for resource, values in seconds.items()},
        {resource: sum(values) / len(values) for resource, values in tokens.items()},
        None if price is None else float(price),
    )
