"""Entropy, log-probability and inverse-CDF sampling over rows of logits.

Pure functions on arrays; they know nothing of models or sequences. The statistics are always those of the
untempered distribution over the full vocabulary; temperature and truncation touch the choice of the token only.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import ModelError
from homogaudit.records import Decoding

BLOCK = 512
"""Tokens a block sum covers: a draw then scans V/512 block sums and one block instead of the vocabulary."""

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """The next-token distributions of B branches.

    Attributes:
        shifted: (B, V) float32 logits minus their row maximum.
        maximum: (B,) float64 row maxima of the logits.
        log_normalizer: (B,) float64 ln sum exp(shifted).
        entropies: (B,) float64 entropies in nats.
        weights: (B, blocks, 512) float32 unnormalised sampling weights, zero past the vocabulary.
        block_ends: (B, blocks) float64 cumulative sums of the weights by block.
    """

    shifted: Float32Array
    maximum: NDArray[np.float64]
    log_normalizer: NDArray[np.float64]
    entropies: NDArray[np.float64]
    weights: Float32Array
    block_ends: NDArray[np.float64]

    def greedy_tokens(self, branches: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the most probable token of each row named by `branches` (ties go to the lowest id)."""
        return self.shifted[branches].argmax(axis=1)

    def sampled_tokens(self, branches: NDArray[np.intp], uniforms: NDArray[np.float64]) -> NDArray[np.intp]:
        """Draw one token a member by inverting the cumulative distribution.

        Args:
            branches: (M,) row of each member.
            uniforms: (M,) independent uniform numbers in [0, 1).

        Returns:
            (M,) token ids, each with a positive weight.
        """
        ends = self.block_ends[branches]
        targets = uniforms * ends[:, -1]
        # The last block whose end is not past the target; the clip guards a target rounded up to the total.
        blocks = np.minimum((ends <= targets[:, None]).sum(axis=1), ends.shape[1] - 1)
        starts = np.where(blocks > 0, np.take_along_axis(ends, np.maximum(blocks - 1, 0)[:, None], axis=1)[:, 0], 0.0)
        weights = self.weights[branches, blocks].astype(np.float64)
        inside = np.cumsum(weights, axis=1)
        offsets = (inside <= (targets - starts)[:, None]).sum(axis=1)
        # A residual at or past the block's own sum (rounding between the two sums) takes its last possible token.
        last = BLOCK - 1 - (weights[:, ::-1] > 0).argmax(axis=1)
        return blocks * BLOCK + np.minimum(offsets, last)

    def logprobs(self, branches: NDArray[np.intp], tokens: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return ln p of each member's token."""
        return self.shifted[branches, tokens] - self.log_normalizer[branches]

    def logits(self, branches: NDArray[np.intp], tokens: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the raw logit of each member's token."""
        return self.shifted[branches, tokens] + self.maximum[branches]


class TokenSampler:
    """Turns logits into distributions, with buffers that live as long as the run.

    `rows` is the largest number of branches in one step.
    """

    def __init__(self, rows: int, vocabulary: int, decoding: Decoding) -> None:
        self._vocabulary = vocabulary
        self._decoding = decoding
        blocks = -(-vocabulary // BLOCK)
        self._shifted = np.empty((rows, vocabulary), np.float32)
        self._weights = np.zeros((rows, blocks * BLOCK), np.float32)

    def keep(self, logits: Float32Array) -> Float32Array:
        """Return logits that stay valid when the model is called again."""
        return logits.copy()

    def distribution(self, logits: Float32Array) -> Distribution:
        """Return the distributions behind `logits`, (B, V) float32; valid until the next call."""
        rows = len(logits)
        shifted, weights = self._shifted[:rows], self._weights[:rows]
        maximum = np.empty(rows)
        normalizer = np.empty(rows)
        mean_shifted = np.empty(rows)
        for row in range(rows):
            # Row by row, because one row stays in the cache between the passes and a matrix does not.
            values, row_weights = shifted[row], weights[row, : self._vocabulary]
            maximum[row] = logits[row].max()
            if not np.isfinite(maximum[row]):
                # A comparison with NaN is false, so every draw would be token 0: homogenization out of thin air.
                raise ModelError(
                    "the model gives logits that are not finite numbers", "the file may be damaged; try another device"
                )
            np.subtract(logits[row], np.float32(maximum[row]), out=values)
            np.exp(values, out=row_weights)
            normalizer[row] = weights[row].reshape(-1, BLOCK).sum(axis=1).sum(dtype=np.float64)
            with np.errstate(invalid="ignore"):
                product = np.dot(row_weights, values)
            if not np.isfinite(product):
                # A suppressed token (logit -inf) has weight 0 and adds nothing; the product made it 0 x -inf.
                product = np.dot(row_weights, np.where(np.isneginf(values), np.float32(0), values))
            mean_shifted[row] = product / normalizer[row]
            if self._decoding.temperature not in (0.0, 1.0):
                np.exp(values / np.float32(self._decoding.temperature), out=row_weights)
            self._truncate(values, row_weights)
        blocked = weights.reshape(rows, -1, BLOCK)
        log_normalizer = np.log(normalizer)
        return Distribution(
            shifted=shifted,
            maximum=maximum,
            log_normalizer=log_normalizer,
            entropies=np.maximum(log_normalizer - mean_shifted, 0.0),
            weights=blocked,
            block_ends=np.cumsum(blocked.sum(axis=2), axis=1, dtype=np.float64),
        )

    def _truncate(self, shifted: Float32Array, weights: Float32Array) -> None:
        """Apply top-k, then top-p, then min-p to one row of sampling weights, in place."""
        decoding = self._decoding
        if 0 < decoding.top_k < self._vocabulary:
            kept = np.argpartition(shifted, -decoding.top_k)[-decoding.top_k :]
            _keep(weights, kept)
        if decoding.top_p < 1.0:
            order = np.argsort(-weights, kind="stable")
            ends = np.cumsum(weights[order], dtype=np.float64)
            # The token that crosses the mass is kept, so that at least one always is.
            _keep(weights, order[: int((ends < decoding.top_p * ends[-1]).sum()) + 1])
        if decoding.min_p > 0.0:
            weights[weights < decoding.min_p * weights.max()] = 0.0


def _keep(weights: Float32Array, kept: NDArray[np.intp]) -> None:
    """Set every weight but those at `kept` to zero."""
    values = weights[kept].copy()
    weights[:] = 0.0
    weights[kept] = values


def uniform_draws(seed: int, question_id: str, sample_index: int, steps: int) -> NDArray[np.float64]:
    """Return the uniform numbers of one draw, one a step.

    They come from a counter-based generator (Philox) keyed by seed, question and sample, so they depend neither
    on the slot nor on what ran before, and a redrawn sample keeps its own.

    Returns:
        (steps,) float64 in [0, 1).
    """
    name = f"{seed}\0{question_id}\0{sample_index}".encode("utf-8", "surrogatepass")
    key = np.frombuffer(hashlib.blake2b(name, digest_size=16).digest(), np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).random(steps)
