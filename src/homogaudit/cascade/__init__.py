"""The cheapest-first cascade of signals (UCBD): stages, costs, held-out evaluation, policy; and the pointer model.

Pure functions on arrays and records. The package knows nothing of run files or reports; the only file that it reads is
a policy. Signals are oriented so that higher is more uncertain and the positive class is an incorrect answer. A figure
that does not exist raises `UndefinedStatisticError` with the reason.
"""
