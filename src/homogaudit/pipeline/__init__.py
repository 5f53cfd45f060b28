"""The pipeline: draws what is missing, asks the model about its answers, scores what is not scored, as events.

It composes generation, clustering, labels and signals over one run file. It knows neither processes nor screens:
whoever iterates over it decides where the events go, and pauses by asking its `Control`.
"""

from homogaudit.pipeline.session import Audit, Control

__all__ = ["Audit", "Control"]
