"""Logistic regression of labels, or of targets between 0 and 1, on a few inputs.

Fitted as scikit-learn does it, without scikit-learn, whose import takes longer than the fits of a report.
"""

from dataclasses import dataclass

import numpy as np

from homogaudit.statistics.arrays import FloatArray

TOLERANCE = 1e-4
"""Largest slope of the mean loss at which a fit ends (scikit-learn's default)."""


@dataclass(frozen=True, slots=True, eq=False)
class LogisticRegression:
    """Log-odds that are linear in the inputs.

    Attributes:
        slopes: Shape (k,).
        intercept: The log-odds where every input is 0.
    """

    slopes: FloatArray
    intercept: float

    def log_odds(self, inputs: FloatArray) -> FloatArray:
        """Return the log-odds of the positive class, shape (n,), for inputs of shape (n, k)."""
        return inputs @ self.slopes + self.intercept


def fit_logistic_regression(inputs: FloatArray, targets: FloatArray, ridge: float = 0.0) -> LogisticRegression:
    """Minimise the cross-entropy summed over questions plus `ridge` / 2 times the squared slopes.

    Args:
        inputs: Shape (n, k), on a scale of about 1, so that the solver converges.
        targets: Shape (n,), P(positive) between 0 and 1.
        ridge: 1 is scikit-learn's `C=1`; the intercept is free.

    Source:
        Byrd, Lu, Nocedal and Zhu (1995), "A limited memory algorithm for bound constrained optimization".
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    n, k = inputs.shape
    design = np.column_stack([inputs, np.ones(n)])
    penalty = np.append(np.full(k, ridge / n), 0.0)

    def mean_loss(weights: FloatArray) -> tuple[float, FloatArray]:
        log_odds = design @ weights
        loss = float(np.mean(np.logaddexp(0, log_odds) - targets * log_odds)) + float(penalty @ weights**2) / 2
        return loss, (expit(log_odds) - targets) @ design / n + penalty * weights

    options = {"maxiter": 1000, "maxls": 50, "gtol": TOLERANCE, "ftol": 64 * np.finfo(np.float64).eps}
    found = minimize(mean_loss, np.zeros(k + 1), jac=True, method="L-BFGS-B", options=options)
    return LogisticRegression(found.x[:k], float(found.x[k]))
