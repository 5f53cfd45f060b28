"""What one question of a run cost: by what signals are computed from (answers, embeddings, calls), and by signal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from homogaudit.cascade.boundaries import stage_of
from homogaudit.cascade.costs import TOKENS_A_PRICE
from homogaudit.report.records import Cost
from homogaudit.report.run_data import RunData
from homogaudit.report.undefined import Undefined
from homogaudit.signals.registry import SIGNALS


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


def resource_costs(data: RunData) -> ResourceCosts:
    """Return what the scored questions of a run cost on average, and the model's price."""
    scored = {x.question.id for x in data.finished}
    seconds: dict[str, list[float]] = {}
    tokens: dict[str, list[int]] = {}
    for cost in data.costs:
        if cost.question_id in scored:
            seconds.setdefault(cost.resource, []).append(cost.seconds)
            tokens.setdefault(cost.resource, []).append(cost.tokens)
    return ResourceCosts(
        {resource: sum(values) / len(values) for resource, values in seconds.items()},
        {resource: sum(values) / len(values) for resource, values in tokens.items()},
        data.run.model_source.price_per_million_tokens,
    )


def signal_cost(name: str, taken: Sequence[float], resources: ResourceCosts) -> Cost:
    """Return what one signal costs a question.

    Args:
        name: As it is stored.
        taken: Seconds of each scored question that has a value.
        resources: What it may be computed from.
    """
    if name not in SIGNALS:
        unknown = Undefined("recorded with the answers")
        return Cost("recorded", 1.0, unknown, unknown, unknown, unknown)
    stage = stage_of(name)
    own = sum(taken) / len(taken) if taken else Undefined("not measured")
    missing = sorted(stage.resources - resources.seconds.keys())
    if isinstance(own, Undefined) or missing:
        seconds = tokens = Undefined(f"the cost of {missing[0]} was not measured" if missing else "not measured")
    else:
        seconds = own + sum(resources.seconds[resource] for resource in stage.resources)
        tokens = float(sum(resources.tokens[resource] for resource in stage.resources))
    if isinstance(tokens, Undefined):
        price = tokens
    elif resources.price is None:
        price = Undefined("models.toml names no price for this model")
    else:
        price = tokens * resources.price / TOKENS_A_PRICE
    return Cost(stage.cost_class, stage.unit_cost(), seconds, own, tokens, price)
