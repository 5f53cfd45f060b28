"""Tiny models that write a text word for word, whatever they are asked, as a folder and as a GGUF file.

The next token follows from the position alone: position embeddings are one-hot, everything between them and the output
is zero, and the output weights say which token follows which position. The vocabulary is the bytes and whatever control
tokens a test wants.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

END = "<|endoftext|>"
_WIDTH = 512
"""Positions, and with them the length of prompt and answer."""

_HEADS = 4
_INNER = 64
_MERGE = ("!", "!")
"""A file needs one; no text here holds it."""


@dataclass(frozen=True)
class Script:
    """What a model writes behind a prompt.

    Attributes:
        text: Where it comes to `END` or another token that ends it, it is done.
        control: Control tokens beside `END`; all else is spelled in bytes.
        template: Its chat template.
        prompt: What the template makes of the question that a test asks.
    """

    text: str
    control: Sequence[str]
    template: str
    prompt: str


def make_tokenizer(script: Script) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {sign: number for number, sign in enumerate([*alphabet, "".join(_MERGE)])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[_MERGE]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in (END, *script.control)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END, pad_token=END)
    tokenizer.chat_template = script.template
    return tokenizer


def _output_weights(script: Script, tokenizer: Any) -> Any:
    """Return (V, positions): 1 where a token follows a position."""
    asked, written = (
        tokenizer(text, add_special_tokens=False)["input_ids"] for text in (script.prompt, script.text + END)
    )
    assert len(asked) + len(written) <= _WIDTH
    weights = np.zeros((len(tokenizer), _WIDTH), np.float32)
    for number, token in enumerate(written):
        weights[token, len(asked) - 1 + number] = 1
    return weights


def write_folder(folder: Path, script: Script) -> Path:
    import torch
    from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

    tokenizer = make_tokenizer(script)
    end = tokenizer.convert_tokens_to_ids(END)
    sizes = {"n_positions": _WIDTH, "n_embd": _WIDTH, "n_layer": 1, "n_head": _HEADS, "n_inner": _INNER}
    ends = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end}
    config = GPT2Config(vocab_size=len(tokenizer), tie_word_embeddings=False, **sizes, **ends)
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        for name, values in model.named_parameters():
            values.fill_(float("ln_" in name and name.endswith("weight")))
        model.transformer.wpe.weight.copy_(torch.eye(_WIDTH))
        model.lm_head.weight.copy_(torch.from_numpy(_output_weights(script, tokenizer)))
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=end)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_gguf(path: Path, script: Script) -> Path:
    import gguf

    tokenizer = make_tokenizer(script)
    names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    control = {END, *script.control}
    end = tokenizer.convert_tokens_to_ids(END)
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_context_length(_WIDTH)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_INNER)
    writer.add_block_count(1)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(names)
    kinds = [gguf.TokenType.CONTROL if name in control else gguf.TokenType.NORMAL for name in names]
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(_MERGE)])
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(script.template)

    def zeros(*shape: int) -> Any:
        return np.zeros(shape, np.float32)

    tensors = {
        "token_embd.weight": zeros(len(names), _WIDTH),
        "position_embd.weight": np.eye(_WIDTH, dtype=np.float32),
        "output_norm.weight": np.ones(_WIDTH, np.float32),
        "output_norm.bias": zeros(_WIDTH),
        "output.weight": _output_weights(script, tokenizer),
        "blk.0.attn_qkv.weight": zeros(3 * _WIDTH, _WIDTH),
        "blk.0.attn_qkv.bias": zeros(3 * _WIDTH),
        "blk.0.attn_output.weight": zeros(_WIDTH, _WIDTH),
        "blk.0.attn_output.bias": zeros(_WIDTH),
        "blk.0.ffn_up.weight": zeros(_INNER, _WIDTH),
        "blk.0.ffn_up.bias": zeros(_INNER),
        "blk.0.ffn_down.weight": zeros(_WIDTH, _INNER),
        "blk.0.ffn_down.bias": zeros(_WIDTH),
    }
    for part in ("attn_norm", "ffn_norm"):
        tensors[f"blk.0.{part}.weight"] = np.ones(_WIDTH, np.float32)
        tensors[f"blk.0.{part}.bias"] = zeros(_WIDTH)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
