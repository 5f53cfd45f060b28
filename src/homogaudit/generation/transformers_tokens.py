"""The tokens of a Hugging Face model: prompts to token ids, tokens to bytes, and which tokens end an answer.

Knows tokenizers and nothing of weights. Untrusted text never becomes a special token, as in `llama_model`.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from homogaudit.questions.prompts import Prompt

_END_OF_TURN = frozenset(
    {
        "<|im_end|>",
        "<|eot_id|>",
        "<|end|>",
        "<|endoftext|>",
        "<|end_of_text|>",
        "<end_of_turn>",
        "<turn|>",
        "<|end_of_turn|>",
        "<EOT>",
        "<|return|>",
    }
)
"""Special tokens that end an answer whatever the configuration says: many a folder names only one of its two."""

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
"""What SentencePiece writes for a space."""


class ModelTokens:
    """The tokens of one model.

    `vocabulary` is the number of tokens that the model has logits for, which may exceed the tokenizer's, and `ends` are
    the ids that end an answer by the model's own configuration.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, ends: Iterable[int]) -> None:
        self._tokenizer = tokenizer
        self.vocabulary = vocabulary
        self._added: dict[int, Any] = tokenizer.added_tokens_decoder
        self._special = {number: str(token) for number, token in self._added.items() if token.special}
        self._ends = set(ends) | {number for number, text in self._special.items() if text in _END_OF_TURN}
        self._shown: dict[int, bytes] = {}
        self._pieces: dict[int, bytes] = {}
        self._decoder = _decoder_types(tokenizer)
        self._leading = self._leading_tokens()
        self.bos_text: str = tokenizer.bos_token or ""
        self.eos_text: str = tokenizer.eos_token or ""

    @property
    def chat_template(self) -> str | None:
        """The model's own template; `None` where it has none."""
        template = self._tokenizer.chat_template
        # Some folders have several under names.
        return template.get("default") if isinstance(template, dict) else template

    def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        """Return the token ids of `text`, with nothing added.

        Lone surrogates become `?`; with `parse_special` text such as `<|im_end|>` becomes the special token.
        """
        text = text.encode("utf-8", "replace").decode()
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=not parse_special, verbose=False)
        return list(encoded["input_ids"])

    def prompt_tokens(self, prompt: Prompt) -> list[int]:
        """Tokenize a prompt; special tokens inside the question's own text stay plain text."""
        parse = prompt.mode == "chat"
        has_own = bool(self.bos_text) and prompt.text.startswith(self.bos_text)
        tokens = [] if has_own else list(self._leading)
        if not parse or not any(self._has_special(part.text) for part in prompt.segments if not part.trusted):
            return tokens + self.tokenize(prompt.text, parse_special=parse)
        for part in prompt.segments:
            tokens += self.tokenize(part.text, parse_special=part.trusted)
        return tokens

    def _has_special(self, text: str) -> bool:
        """Whether untrusted text would be read as a special token."""
        return self.tokenize(text, parse_special=True) != self.tokenize(text)

    def _leading_tokens(self) -> list[int]:
        """Return what the tokenizer puts before a text, for most models one token or none."""
        plain = self.tokenize("x")
        whole = list(self._tokenizer("x", verbose=False)["input_ids"])
        starts = [at for at in range(len(whole) - len(plain) + 1) if whole[at : at + len(plain)] == plain]
        return whole[: starts[0]] if starts else []

    def has_token(self, text: str) -> bool:
        """Whether one added token of the vocabulary, special or not, spells `text`."""
        return self._token_of(text) is not None

    def _token_of(self, text: str) -> int | None:
        tokens = self.tokenize(text, parse_special=True)
        return tokens[0] if len(tokens) == 1 and str(self._added.get(tokens[0])) == text else None

    def show_marker(self, text: str) -> None:
        """Let the special tokens in `text`, one or several, appear in the text of an answer."""
        for token in self.tokenize(text, parse_special=True):
            shown = self._special.get(token)
            if shown is not None and shown in text:
                self._shown[token] = shown.encode()
                self._pieces.pop(token, None)

    def set_end(self, text: str, *, ends: bool) -> None:
        """Say whether the token that spells `text` ends an answer, whatever the configuration says of it."""
        token = self._token_of(text)
        if token is not None:
            (self._ends.add if ends else self._ends.discard)(token)

    def ends(self, token: int) -> bool:
        """Whether `token` ends an answer."""
        return token in self._ends

    def piece(self, token: int) -> bytes:
        """Return the bytes that `token` adds to the text; empty for special tokens and for ids without a token."""
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = self._bytes(token)
        return found

    def _bytes(self, token: int) -> bytes:
        if token in self._shown:
            return self._shown[token]
        if token in self._added:
            return b"" if token in self._special else str(self._added[token]).encode()
        text = self._tokenizer.convert_ids_to_tokens(token)
        if not isinstance(text, str):
            return b""
        if "ByteLevel" in self._decoder:
            # The bytes behind the printable characters that byte-level tokenizers write for them.
            return b"".join(_BYTES[character] if character in _BYTES else character.encode() for character in text)
        if "ByteFallback" in self._decoder and (byte := _BYTE.fullmatch(text)):
            return bytes([int(byte[1], 16)])
        if self._decoder & {"ByteFallback", "Metaspace"}:
            return text.replace(_SPACE, " ").encode()
        # Behind another token, because many decoders strip the space in front of the first.
        anchor = self.tokenize("x")
        before, after = (
            self._tokenizer.decode(tokens, clean_up_tokenization_spaces=False) for tokens in (anchor, [*anchor, token])
        )
        return after[len(before) :].encode() if after.startswith(before) else after.encode()


def _decoder_types(tokenizer: Any) -> frozenset[str]:
    """Return the kinds of steps by which the tokenizer turns tokens into text; empty where it does not say."""
    decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
    if decoder is None:
        return frozenset()
    found: set[str] = set()
    waiting: list[Any] = [json.loads(decoder.__getstate__())]
    while waiting:
        step = waiting.pop()
        found.add(step["type"])
        waiting += step.get("decoders", [])
    return frozenset(found)


def _printable_bytes() -> dict[str, bytes]:
    """Return the table of GPT-2: a printable byte stands for itself, the n-th other one is character 256 + n."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): bytes([byte]) for byte in printable}
    return table | {chr(256 + number): bytes([byte]) for number, byte in enumerate(others)}


_BYTES = _printable_bytes()
