"""Drawing answers: N i.i.d. samples and the greedy answer of each question, with statistics of every token.

This package knows prompts and tokens; it does not know what an answer means, and stores nothing.
"""

from homogaudit.generation.batched_sampler import BatchedSampler
from homogaudit.generation.generator import (
    DrawRequest,
    FollowUp,
    FollowUpReply,
    FollowUps,
    Generator,
    GeneratorFacts,
    NextTokens,
    SamplerCounts,
)

__all__ = [
    "BatchedSampler",
    "DrawRequest",
    "FollowUp",
    "FollowUpReply",
    "FollowUps",
    "Generator",
    "GeneratorFacts",
    "NextTokens",
    "SamplerCounts",
]
