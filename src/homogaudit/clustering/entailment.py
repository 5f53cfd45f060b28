"""Entailment: whether one text follows from another, and clusters of answers that entail each other.

`CrossEncoderEntailment` runs an NLI cross-encoder of transformers. The clustering knows scores of pairs, not where
they come from; run files and names of models are known elsewhere.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import ModelError

Float32Array = NDArray[np.float32]
Pair = tuple[str, str]
PairScores = Callable[[Sequence[Pair]], Float32Array]
"""n pairs (premise, hypothesis) to (n, 3) probabilities, in the order of `ENTAILMENT`, `NEUTRAL`, `CONTRADICTION`."""

ENTAILMENT, NEUTRAL, CONTRADICTION = 0, 1, 2
"""Columns of a pair's scores."""

_LABELS = ("entailment", "neutral", "contradiction")
_LONGEST = 512
"""Tokens of a pair where the model names no limit: what NLI cross-encoders are trained with."""


class EntailmentModel(Protocol):
    """What tells whether a hypothesis follows from a premise."""

    @property
    def name(self) -> str:
        """Name as reports show it."""
        ...

    def scores(self, pairs: Sequence[Pair]) -> Float32Array:
        """Return (n, 3) float32 rows (p_entailment, p_neutral, p_contradiction), one a pair, each summing to 1."""
        ...


class CrossEncoderEntailment:
    """An NLI cross-encoder of transformers, from a folder or from the local Hugging Face cache.

    Remote code stays off and weights are read from safetensors only. Which output is entailment is read from the
    model's own configuration, because published models differ. A pair longer than the model's limit is cut, the longer
    text first.

    Args:
        name: As reports show it.
        path_or_id: A folder, or a Hugging Face id.
        device: Torch device; `None` takes CUDA, then MPS, then the CPU.
        revision: Branch, tag or commit of a Hugging Face id.
        allow_download: Whether an id that is not in the local cache may be downloaded.
        batch_size: Pairs in one forward pass.

    Raises:
        ModelError: The model is missing, broken, has no safetensors, or other labels than the three.
    """

    def __init__(
        self,
        name: str,
        path_or_id: str | Path,
        *,
        device: str | None = None,
        revision: str | None = None,
        allow_download: bool = False,
        batch_size: int = 32,
    ) -> None:
        # Imported here, so that clusterings without a model need no torch.
        import torch
        from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

        self._name = name
        self._batch_size = batch_size
        source = os.path.expanduser(str(path_or_id))
        options: dict[str, Any] = {
            "revision": revision,
            "local_files_only": not allow_download,
            "trust_remote_code": False,
        }
        try:
            config: Any = AutoConfig.from_pretrained(source, **options)
            self._columns = _columns(name, getattr(config, "id2label", None))
            self._tokenizer: Any = AutoTokenizer.from_pretrained(source, **options)
            model: Any = AutoModelForSequenceClassification.from_pretrained(
                source, config=config, use_safetensors=True, dtype=torch.float32, **options
            )
        except ModelError:
            raise
        # The libraries below raise nearly every class there is for a broken folder; each means the same to the user.
        except Exception as error:
            hint = "the folder needs config.json, a tokenizer and model.safetensors"
            if not Path(source).is_dir():
                hint = f"download it with `hf download {source}`, or give a folder that holds it"
            raise ModelError(
                f"NLI model `{name}` cannot be loaded from `{source}`: {_one_line(error)}", hint
            ) from error
        self._device = device or _best_device(torch)
        self._model = model.to(self._device).eval()
        limits = (self._tokenizer.model_max_length, getattr(config, "max_position_embeddings", None))
        self._longest = min([x for x in limits if isinstance(x, int) and 0 < x < 1 << 20] or [_LONGEST])
        self._torch: Any = torch

    @property
    def name(self) -> str:
        """Name as reports show it."""
        return self._name

    def scores(self, pairs: Sequence[Pair]) -> Float32Array:
        """Return the probabilities of each pair; equal pairs are computed once.

        Args:
            pairs: n pairs (premise, hypothesis).

        Returns:
            (n, 3) float32: entailment, neutral, contradiction.

        Raises:
            ModelError: The model fails, or gives numbers that are not finite.
        """
        unique = list(dict.fromkeys(pairs))
        if not unique:
            return np.zeros((0, 3), dtype=np.float32)
        try:
            found = self._forward(unique)
        except Exception as error:
            hint = "a smaller batch or another device may do"
            raise ModelError(f"NLI model `{self._name}` failed: {_one_line(error)}", hint) from error
        if not np.isfinite(found).all():
            raise ModelError(f"NLI model `{self._name}` gave numbers that are not finite", "try another device")
        rows = {pair: row for row, pair in enumerate(unique)}
        return found[[rows[pair] for pair in pairs]]

    def _forward(self, pairs: Sequence[Pair]) -> Float32Array:
        """Compute distinct pairs, batched by length so that little is padding."""
        encoded: Any = self._tokenizer(
            [premise for premise, _ in pairs],
            [hypothesis for _, hypothesis in pairs],
            truncation="longest_first",
            max_length=self._longest,
        )
        lengths = [len(ids) for ids in encoded["input_ids"]]
        order = sorted(range(len(pairs)), key=lengths.__getitem__, reverse=True)
        found = np.empty((len(pairs), 3), dtype=np.float32)
        for start in range(0, len(order), self._batch_size):
            rows = order[start : start + self._batch_size]
            batch = self._tokenizer.pad(
                {key: [values[row] for row in rows] for key, values in encoded.items()}, return_tensors="pt"
            ).to(self._device)
            with self._torch.inference_mode():
                probabilities = self._model(**batch).logits.float().softmax(dim=-1).cpu().numpy()
            found[rows] = probabilities[:, self._columns]
        return found


def with_question(question: str, scores: PairScores) -> PairScores:
    """Return scores of answers that read the question before both, as a context that short answers lack."""

    def scored(pairs: Sequence[Pair]) -> Float32Array:
        before = question.strip() + " "
        return scores([(before + premise, before + hypothesis) for premise, hypothesis in pairs])

    return scored


def entailment_assignment(texts: Sequence[str], scores: PairScores, threshold: float = 0.5) -> tuple[int, ...]:
    """Return the clusters of texts that entail each other, single linkage.

    Two texts join where each entails the other with a probability above the threshold. Identical texts are one;
    two texts that are joined already, through whatever others, are never compared; the way back is asked only where
    the way there holds.

    Args:
        texts: n texts.
        scores: Probabilities of pairs.
        threshold: Of either way, not included.

    Returns:
        The cluster number of each text, numbered from 0 by first appearance.

    Source: Kuhn et al., arXiv 2302.09664 (bidirectional entailment).
    """
    unique = list(dict.fromkeys(texts))
    clusters: list[list[int]] = []
    for new in range(len(unique)):
        # Members of different clusters are all compared, so only the new text can still join two of them.
        joined = [new]
        apart = [list(members) for members in clusters]
        waiting = list(range(len(apart)))
        while waiting:
            # One member of each cluster at a time: they go through the model together, and a hit saves the rest.
            asked = [(place, apart[place].pop(0)) for place in waiting]
            hits = _mutual([(unique[member], unique[new]) for _, member in asked], scores, threshold)
            for (place, _), hit in zip(asked, hits, strict=True):
                if hit:
                    joined += clusters[place]
                    clusters[place] = apart[place] = []
            waiting = [place for place in waiting if apart[place]]
        clusters = [members for members in clusters if members] + [sorted(joined)]
    cluster_of = {member: number for number, members in enumerate(clusters) for member in members}
    rows = {text: row for row, text in enumerate(unique)}
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(cluster_of[rows[text]], len(numbers)) for text in texts)


def _mutual(pairs: Sequence[Pair], scores: PairScores, threshold: float) -> list[bool]:
    """Return whether the two texts of each pair entail each other."""
    there = scores(pairs)[:, ENTAILMENT] > threshold
    back_pairs = [(second, first) for (first, second), holds in zip(pairs, there, strict=True) if holds]
    back = iter((scores(back_pairs)[:, ENTAILMENT] > threshold).tolist() if back_pairs else ())
    return [bool(holds) and next(back) for holds in there]


def _columns(name: str, labels: object) -> list[int]:
    """Return which outputs are entailment, neutral and contradiction."""
    named = {str(label).strip().lower(): int(number) for number, label in (labels or {}).items()}  # type: ignore[attr-defined]
    if set(named) != set(_LABELS):
        listed = ", ".join(f"`{label}`" for label in named) or "none"
        raise ModelError(
            f"`{name}` is no NLI model with three labels: its labels are {listed}",
            "its config.json must name entailment, neutral and contradiction in `id2label`",
        )
    return [named[label] for label in _LABELS]


def _best_device(torch: Any) -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
