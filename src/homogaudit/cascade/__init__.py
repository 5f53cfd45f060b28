"""The cheapest-first cascade of signals (UCBD): stages, costs, held-out evaluation, policy; and the pointer model.

Pure functions on arrays and records. The package knows nothing of run files or reports; the only file that it reads is
a policy. Signals are oriented so that higher is more uncertain and the positive class is an incorrect answer. A figure
that does not exist raises `UndefinedStatisticError` with the reason.
"""

from homogaudit.cascade.boundaries import Measured, Stage, StageSelection, order_stages, select_stages, stage_of
from homogaudit.cascade.costs import StageCosts, expected_cost, measured_costs, saving, token_costs, unit_costs
from homogaudit.cascade.pointer import FREE_FEATURES, PointerModel, free_features, pointer_model
from homogaudit.cascade.policy import Cascade, Decision, Policy, fit_policy, realised_saving
from homogaudit.cascade.published import BandPoint, PublishedProtocol, published_protocol
from homogaudit.cascade.ucbd import CascadeEvaluation, evaluate_cascade

__all__ = [
    "FREE_FEATURES",
    "BandPoint",
    "Cascade",
    "CascadeEvaluation",
    "Decision",
    "Measured",
    "PointerModel",
    "Policy",
    "PublishedProtocol",
    "Stage",
    "StageCosts",
    "StageSelection",
    "evaluate_cascade",
    "expected_cost",
    "fit_policy",
    "free_features",
    "measured_costs",
    "order_stages",
    "pointer_model",
    "published_protocol",
    "realised_saving",
    "saving",
    "select_stages",
    "stage_of",
    "token_costs",
    "unit_costs",
]
