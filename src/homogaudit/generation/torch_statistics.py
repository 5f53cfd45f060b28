"""What `token_statistics` computes, on the device where the logits are: only the chosen tokens' figures leave it.

The same definitions and the same uniform numbers, so that a draw is the same as on the host but for rounding.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from homogaudit.errors import ModelError
from homogaudit.generation.token_statistics import BLOCK
from homogaudit.records import Decoding


@dataclass(frozen=True, slots=True, eq=False)
class TorchDistribution:
    """As `Distribution`, on a device; the entropies are on the host."""

    shifted: Tensor
    maximum: Tensor
    log_normalizer: Tensor
    entropies: NDArray[np.float64]
    weights: Tensor
    block_ends: Tensor

    def greedy_tokens(self, branches: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the most probable token of each row named by `branches` (ties go to the lowest id)."""
        return self.shifted.argmax(dim=1).cpu().numpy()[branches]

    def sampled_tokens(self, branches: NDArray[np.intp], uniforms: NDArray[np.float64]) -> NDArray[np.intp]:
        """Draw one token a member by inverting the cumulative distribution."""
        rows = self._indexes(branches)
        ends = self.block_ends[rows]
        targets = torch.from_numpy(uniforms).to(ends) * ends[:, -1]
        # The last block whose end is not past the target; the clip guards a target rounded up to the total.
        blocks = (ends <= targets[:, None]).sum(dim=1).clamp(max=ends.shape[1] - 1)
        before = ends.gather(1, (blocks - 1).clamp(min=0)[:, None])[:, 0]
        starts = torch.where(blocks > 0, before, torch.zeros_like(before))
        weights = self.weights[rows, blocks].to(ends.dtype)
        offsets = (weights.cumsum(dim=1) <= (targets - starts)[:, None]).sum(dim=1)
        # A residual at or past the block's own sum (rounding between the two sums) takes its last possible token.
        last = BLOCK - 1 - (weights.flip(1) > 0).int().argmax(dim=1)
        return (blocks * BLOCK + torch.minimum(offsets, last)).cpu().numpy()

    def logprobs(self, branches: NDArray[np.intp], tokens: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return ln p of each member's token."""
        rows = self._indexes(branches)
        return _on_host(self.shifted[rows, self._indexes(tokens)] - self.log_normalizer[rows])

    def logits(self, branches: NDArray[np.intp], tokens: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the raw logit of each member's token."""
        rows = self._indexes(branches)
        return _on_host(self.shifted[rows, self._indexes(tokens)] + self.maximum[rows])

    def _indexes(self, values: NDArray[np.intp]) -> Tensor:
        return torch.from_numpy(values).to(self.shifted.device)


class TorchTokenSampler:
    """Turns logits on a device into distributions."""

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding

    def keep(self, logits: Tensor) -> Tensor:
        """Return logits that stay valid when the model is called again; every call gives a tensor of its own."""
        return logits

    def distribution(self, logits: Tensor) -> TorchDistribution:
        """Return the distributions behind `logits`, (B, V).

        Raises:
            ModelError: A row is not made of finite numbers.
        """
        logits = logits.float()
        # Apple's GPUs have no float64; the sums by block keep float32 exact enough there.
        wide = torch.float32 if logits.device.type == "mps" else torch.float64
        maximum = logits.amax(dim=1)
        if not bool(torch.isfinite(maximum).all()):
            # A comparison with NaN is false, so every draw would be token 0: homogenization out of thin air.
            raise ModelError(
                "the model gives logits that are not finite numbers", "the file may be damaged; try another device"
            )
        shifted = logits - maximum[:, None]
        rows, vocabulary = shifted.shape
        weights = shifted.new_zeros(rows, -(-vocabulary // BLOCK) * BLOCK)
        used = weights[:, :vocabulary]
        torch.exp(shifted, out=used)
        blocks = weights.view(rows, -1, BLOCK)
        normalizer = blocks.sum(dim=2).sum(dim=1, dtype=wide)
        # A suppressed token (logit -inf) has weight 0 and adds nothing; the product is 0 x -inf.
        mean_shifted = (used * shifted).nan_to_num_(nan=0.0).sum(dim=1, dtype=wide) / normalizer
        log_normalizer = normalizer.log()
        if self._decoding.temperature not in (0.0, 1.0):
            torch.exp(shifted / self._decoding.temperature, out=used)
        self._truncate(shifted, used)
        return TorchDistribution(
            shifted=shifted,
            maximum=maximum.to(wide),
            log_normalizer=log_normalizer,
            entropies=_on_host((log_normalizer - mean_shifted).clamp(min=0.0)),
            weights=blocks,
            block_ends=blocks.sum(dim=2).to(wide).cumsum(dim=1),
        )

    def _truncate(self, shifted: Tensor, weights: Tensor) -> None:
        """Apply top-k, then top-p, then min-p to every row of sampling weights, in place."""
        decoding = self._decoding
        if 0 < decoding.top_k < shifted.shape[1]:
            _keep(weights, shifted.topk(decoding.top_k, dim=1).indices)
        if decoding.top_p < 1.0:
            values, order = weights.sort(dim=1, descending=True, stable=True)
            ends = values.to(torch.float32 if weights.device.type == "mps" else torch.float64).cumsum(dim=1)
            # The token that crosses the mass is kept, so that at least one always is.
            before = torch.nn.functional.pad(ends[:, :-1], (1, 0))
            values[before >= decoding.top_p * ends[:, -1:]] = 0.0
            weights.scatter_(1, order, values)
        if decoding.min_p > 0.0:
            weights[weights < decoding.min_p * weights.amax(dim=1, keepdim=True)] = 0.0


def _keep(weights: Tensor, kept: Tensor) -> None:
    """Set every weight of a row but those at `kept` to zero."""
    values = weights.gather(1, kept)
    weights.zero_()
    weights.scatter_(1, kept, values)


def _on_host(values: Tensor) -> NDArray[np.float64]:
    return values.cpu().numpy().astype(np.float64)
