"""Loading a Hugging Face model from its folder: weights, tokenizer, device and number format.

Weights come from safetensors alone, and no code of the folder is run.
"""

from pathlib import Path
from typing import Any

import torch
import transformers

from homogaudit.config.machine import machine_memory
from homogaudit.errors import ModelError
from homogaudit.generation.transformers_folder import one_line
from homogaudit.generation.transformers_tokens import ModelTokens

_UNKNOWN_MEMORY = 4 << 30
"""Bytes to plan with where the system does not say what is free."""

_TOKENIZER_HINT = "the folder needs tokenizer.json, or the files that its tokenizer_config.json names"
_SMALLER_HINT = "use the CPU with `--gpu-layers 0`, or choose a smaller model"


def load_model(folder: Path, device: torch.device) -> Any:
    """Load configuration and weights.

    Raises:
        ModelError: They are broken, incomplete, of an unknown architecture, need code of their own, or do not fit.
    """
    library: Any = transformers
    library.utils.logging.disable_progress_bar()
    try:
        config = library.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model, report = library.AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=_number_format(config, device),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    # transformers raises nearly every class there is for a folder that it cannot load.
    except Exception as error:
        hint = "is the folder complete, and its architecture supported by this transformers without code of its own?"
        raise ModelError(f"cannot load `{folder}`: {one_line(error)}", hint) from error
    missing = sorted(report["missing_keys"])
    if missing:
        # transformers fills the gaps with random numbers and goes on.
        raise ModelError(
            f"the weights of `{folder}` lack {len(missing)} tensors, for example `{missing[0]}`",
            "is this a text-generation model, and its download complete?",
        )
    try:
        return model.to(device).eval()
    except RuntimeError as error:
        raise ModelError(f"`{folder}` does not fit on the device: {one_line(error)}", _SMALLER_HINT) from error


def best_device() -> str:
    """Return CUDA where there is one, else Apple's GPU, else the CPU."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _number_format(config: Any, device: torch.device) -> torch.dtype:
    """Return the format to compute in.

    A CPU computes in float32, which is faster there than half precision in software and holds bfloat16 weights exactly.
    A GPU computes in the half precision of the weights, bfloat16 where they have none, float16 where it lacks that.
    """
    if device.type == "cpu":
        return torch.float32
    stored = getattr(config.get_text_config(decoder=True), "dtype", None) or getattr(config, "dtype", None)
    if stored == torch.float16:
        return torch.float16
    has_bfloat16 = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bfloat16 else torch.float16


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device, a guess where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return machine_memory().available or _UNKNOWN_MEMORY


def load_tokens(folder: Path, model: Any) -> ModelTokens:
    """Load the tokenizer of a loaded model.

    Raises:
        ModelError: It is missing or broken.
    """
    try:
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    # A broken tokenizer raises nearly every class there is.
    except Exception as error:
        raise ModelError(f"cannot load the tokenizer of `{folder}`: {one_line(error)}", _TOKENIZER_HINT) from error
    config: Any = model.config.get_text_config(decoder=True)
    ends: set[int] = set()
    for holder in (model.generation_config, config, tokenizer):
        found = getattr(holder, "eos_token_id", None)
        ends.update(found if isinstance(found, list) else [] if found is None else [found])
    return ModelTokens(tokenizer, int(config.vocab_size), ends)
