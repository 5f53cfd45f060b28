"""A GGUF model behind llama-cpp-python's low-level API: loading and tokenizing.

It knows nothing of questions or answers. llama.cpp may abort the process on a damaged
file, which is why this module only ever runs in the engine's own process.
"""

import ctypes
import os
import sys
from collections import deque
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import llama_cpp

from homogaudit.errors import ModelError, has_no_memory
from homogaudit.generation.devices import llama_devices
from homogaudit.questions.prompts import Prompt

_ALL_LAYERS = 0x7FFFFFFF
_WARNING, _ERROR, _CONTINUED = 3, 4, 5
"""Levels of `enum ggml_log_level` in ggml.h."""


class _NativeLog:
    """Writes llama.cpp's warnings to stderr and keeps the last error lines for the message."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._level = 0
        # The callback must outlive every call into the library.
        self._callback = llama_cpp.llama_log_callback(self._write)

    def install(self) -> None:
        """Take the library's messages from whoever had them."""
        llama_cpp.llama_log_set(self._callback, ctypes.c_void_p(0))

    def _write(self, level: int, text: bytes, user_data: Any) -> None:
        self._level = self._level if level == _CONTINUED else level
        line = text.decode("utf-8", "replace")
        if self._level == _ERROR:
            self.errors.append(line.strip())
        if self._level in (_WARNING, _ERROR):
            sys.stderr.write(line)

    def last_error(self) -> str:
        """Return the first error since they were cleared; the later ones only repeat it outwards."""
        text = next((line for line in self.errors if line), "")
        _, separator, reason = text.partition("error loading model: ")
        return reason if separator else text


@cache
def _native_log() -> _NativeLog:
    """Return the process's one log: the library keeps its callback when the model that set it is gone."""
    return _NativeLog()


class LlamaModel:
    """A loaded GGUF file.

    `gpu_layers` are those to offload, -1 for all; `None` for all with a retry on fewer when memory is short.

    Raises:
        ModelError: The file is missing, truncated, no GGUF file, or of an architecture that cannot generate.
    """

    def __init__(self, path: Path, *, gpu_layers: int | None = None) -> None:
        check_gguf(path)
        self.path = path
        self.pointer: Any = None
        self.gpu_layers = 0
        self._pieces: dict[int, bytes] = {}
        self._ends: dict[int, bool] = {}
        _native_log().install()
        llama_cpp.llama_backend_init()
        self.has_gpu = any(device.is_gpu for device in llama_devices())
        self._layers_left = deque(self._layers_to_try(path, gpu_layers))
        self._layers_wanted = self._layers_left[0]
        self._load()

    @property
    def gives_up_layers(self) -> bool:
        """Whether fewer layers are on the GPU than were wanted, for lack of memory."""
        return self.gpu_layers != self._layers_wanted

    def offload_less(self) -> bool:
        """Load the model again with fewer layers on the GPU; return whether there was still something to give up."""
        if not self._layers_left:
            return False
        self._load()
        return True

    def _load(self) -> None:
        """Load with the most layers that fit, of those that are left to try.

        Raises:
            ModelError: It does not load with any, or is no model that can generate.
        """
        path, log = self.path, _native_log()
        self.close()
        while self._layers_left and not self.pointer:
            self.gpu_layers = self._layers_left.popleft()
            parameters = llama_cpp.llama_model_default_params()
            parameters.n_gpu_layers = self.gpu_layers
            log.errors.clear()
            self.pointer = llama_cpp.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self.pointer:
            reason = log.last_error() or "llama.cpp gave no reason"
            hint = "is the file complete, and its architecture supported by this llama-cpp-python?"
            if has_no_memory(reason):
                hint = "choose a smaller model, close some programs, or raise `ulimit -v`"
            raise ModelError(f"cannot load `{path}`: {reason}", hint)
        if llama_cpp.llama_model_has_encoder(self.pointer) or not llama_cpp.llama_model_has_decoder(self.pointer):
            raise ModelError(f"`{path}` is not a decoder-only language model", "choose a text-generation model")
        self.vocabulary_pointer: Any = llama_cpp.llama_model_get_vocab(self.pointer)
        self.vocabulary = int(llama_cpp.llama_vocab_n_tokens(self.vocabulary_pointer))
        if not self.vocabulary or not llama_cpp.llama_vocab_type(self.vocabulary_pointer):
            raise ModelError(f"`{path}` has no vocabulary", "choose a text-generation model")
        self.train_context = int(llama_cpp.llama_model_n_ctx_train(self.pointer))
        self.size = int(llama_cpp.llama_model_size(self.pointer))
        self.layers = int(llama_cpp.llama_model_n_layer(self.pointer))
        self.is_recurrent = bool(
            llama_cpp.llama_model_is_recurrent(self.pointer) or llama_cpp.llama_model_is_hybrid(self.pointer)
        )

    def _layers_to_try(self, path: Path, gpu_layers: int | None) -> Sequence[int]:
        """Return numbers of GPU layers, most first."""
        if not self.has_gpu:
            return (0,)
        if gpu_layers is not None:
            return (_ALL_LAYERS if gpu_layers < 0 else gpu_layers,)
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = True
        probe = llama_cpp.llama_model_load_from_file(os.fsencode(path), parameters)
        if not probe:
            return (_ALL_LAYERS,)
        # Without its tensors a model says that it has 0 layers; the file's header knows better.
        layers = int(_metadata(probe, f"{_metadata(probe, 'general.architecture')}.block_count") or 0)
        llama_cpp.llama_model_free(probe)
        return (_ALL_LAYERS, layers * 3 // 4, layers // 2, layers // 4, 0)

    def close(self) -> None:
        """Free the weights."""
        if self.pointer:
            llama_cpp.llama_model_free(self.pointer)
            self.pointer = None

    @property
    def description(self) -> str:
        """Architecture, size and quantization in llama.cpp's words, for example `llama 135M Q4_1`."""
        buffer = ctypes.create_string_buffer(256)
        llama_cpp.llama_model_desc(self.pointer, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    @property
    def chat_template(self) -> str | None:
        """The file's own template; `None` where it has none (never a library default)."""
        template = llama_cpp.llama_model_chat_template(self.pointer, None)
        return template.decode("utf-8", "replace") if template else None

    @property
    def cache_bytes_per_token(self) -> int:
        """Bytes of float16 keys and values that one cell holds, over all layers."""
        numbers = sum(self._head_length(name) for name in ("key", "value"))
        return self.layers * max(1, int(llama_cpp.llama_model_n_head_kv(self.pointer))) * numbers * 2

    @property
    def attention_share_per_cell(self) -> float:
        """Operations that attention over one more cell adds to a token, over those of its matrix products."""
        numbers = self._heads * self._head_length("key")
        return 4 * self.layers * numbers / (2 * self.parameters)

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        return max(1, int(llama_cpp.llama_model_n_params(self.pointer)))

    @property
    def logits_share(self) -> float:
        """Share of the products that compute logits, with the matrix of the embeddings or one of the same size."""
        width = int(llama_cpp.llama_model_n_embd(self.pointer))
        return self.vocabulary * width / self.parameters

    @property
    def _heads(self) -> int:
        return max(1, int(llama_cpp.llama_model_n_head(self.pointer)))

    def _head_length(self, name: str) -> int:
        """Return the length of a head's `key` or `value`."""
        architecture = self.metadata("general.architecture") or ""
        default = int(llama_cpp.llama_model_n_embd(self.pointer)) // self._heads
        return int(self.metadata(f"{architecture}.attention.{name}_length") or default)

    def metadata(self, key: str) -> str | None:
        """Return one metadata value of the file as text."""
        return _metadata(self.pointer, key)

    def _special_text(self, token: Any) -> str:
        """Return the text of a special token such as the beginning of a sequence; empty where there is none."""
        if int(token) < 0:
            return ""
        return llama_cpp.llama_vocab_get_text(self.vocabulary_pointer, token).decode("utf-8", "replace")

    @property
    def bos_text(self) -> str:
        """Text of the begin-of-sequence token."""
        return self._special_text(llama_cpp.llama_vocab_bos(self.vocabulary_pointer))

    @property
    def eos_text(self) -> str:
        """Text of the end-of-sequence token."""
        return self._special_text(llama_cpp.llama_vocab_eos(self.vocabulary_pointer))

    def tokenize(self, text: str, *, add_special: bool = False, parse_special: bool = False) -> list[int]:
        """Return the token ids of `text`.

        Lone surrogates become `?`. With `add_special` the begin-of-sequence token is added where the model wants one,
        and with `parse_special` text such as `<|im_end|>` becomes the control token.
        """
        encoded = text.encode("utf-8", "replace")
        room = len(encoded) + 8
        while True:
            tokens = (llama_cpp.llama_token * room)()
            count = llama_cpp.llama_tokenize(
                self.vocabulary_pointer, encoded, len(encoded), tokens, room, add_special, parse_special
            )
            if count >= 0:
                return list(tokens[:count])
            room = -count

    def prompt_tokens(self, prompt: Prompt) -> list[int]:
        """Tokenize a prompt; control tokens inside the question's own text stay plain text."""
        parse = prompt.mode == "chat"
        add_special = not (self.bos_text and prompt.text.startswith(self.bos_text))
        if not parse or not any(self._has_control(part.text) for part in prompt.segments if not part.trusted):
            return self.tokenize(prompt.text, add_special=add_special, parse_special=parse)
        tokens: list[int] = []
        for number, part in enumerate(prompt.segments):
            tokens += self.tokenize(part.text, add_special=add_special and number == 0, parse_special=part.trusted)
        return tokens

    def _has_control(self, text: str) -> bool:
        """Whether untrusted text would be read as a control token."""
        return self.tokenize(text, parse_special=True) != self.tokenize(text)

    def has_token(self, text: str) -> bool:
        """Whether one token of the vocabulary, a control token or another, spells `text`."""
        return self._token_of(text) is not None

    def _token_of(self, text: str) -> int | None:
        tokens = self.tokenize(text, parse_special=True)
        return tokens[0] if len(tokens) == 1 and self._special_text(tokens[0]) == text else None

    def show_marker(self, text: str) -> None:
        """Let the control tokens in `text`, one or several, appear in the text of an answer."""
        for token in self.tokenize(text, parse_special=True):
            shown = self._special_text(token)
            if not self.piece(token) and shown in text:
                self._pieces[token] = shown.encode()

    def set_end(self, text: str, *, ends: bool) -> None:
        """Say whether the token that spells `text` ends a generation, whatever the file says of it."""
        token = self._token_of(text)
        if token is not None:
            self._ends[token] = ends

    def ends(self, token: int) -> bool:
        """Whether `token` ends a generation."""
        if token not in self._ends:
            self._ends[token] = bool(llama_cpp.llama_vocab_is_eog(self.vocabulary_pointer, token))
        return self._ends[token]

    def piece(self, token: int) -> bytes:
        """Return the bytes that `token` adds to the text; empty for control tokens."""
        found = self._pieces.get(token)
        if found is None:
            room = 64
            while True:
                buffer = ctypes.create_string_buffer(room)
                length = llama_cpp.llama_token_to_piece(self.vocabulary_pointer, token, buffer, room, 0, False)
                if length >= 0:
                    break
                room = -length
            found = self._pieces[token] = buffer.raw[:length]
        return found


def _metadata(model: Any, key: str) -> str | None:
    """Return one metadata value of a loaded file as text; `None` where it has none of that name."""
    buffer: Any = ctypes.create_string_buffer(512)
    length = llama_cpp.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if length >= 0 else None


def check_gguf(path: Path) -> None:
    """Check that `path` looks like a GGUF file before native code sees it.

    Raises:
        ModelError: It does not, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror}") from error
    if magic != b"GGUF":
        found = "is empty" if not magic else "is not a GGUF file"
        raise ModelError(f"`{path}` {found}", "give a .gguf file; safetensors folders convert with llama.cpp's scripts")
