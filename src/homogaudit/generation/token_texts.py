"""What the tokens of an answer read like: bytes become text, also where a character is spread over several tokens."""

import codecs
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from homogaudit.records import TokenStatistics

_WHITE_SPACE = b" \t\r\n\f\v"


def texts_of_pieces(pieces: Sequence[bytes]) -> tuple[str, ...]:
    """Return the text that each token adds; joined they are the text of all.

    A character that is spread over several tokens belongs to the last of them, and bytes that are no UTF-8 become
    replacement characters.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    last = len(pieces) - 1
    return tuple(decoder.decode(piece, final=number == last) for number, piece in enumerate(pieces))


def answer_token_texts(
    statistics: TokenStatistics, pieces_of: Callable[[Iterable[int]], Mapping[int, bytes]]
) -> tuple[str, ...] | None:
    """Return the text of each answer token of a draw, `None` where ids or pieces are not stored.

    `pieces_of` gives the bytes of tokens by id, as far as they are known, as `RunFile.token_pieces` does.
    """
    if statistics.token_ids is None:
        return None
    ids: list[int] = statistics.token_ids.tolist()
    pieces = pieces_of(set(ids))
    if any(number not in pieces for number in ids):
        return None
    # Decoded before thinking is left out, so that no character is cut.
    texts = texts_of_pieces([pieces[number] for number in ids])
    mask = statistics.answer_mask
    return texts if mask is None else tuple(text for text, kept in zip(texts, mask, strict=True) if kept)


def decoded_answer(pieces: Iterable[bytes], *, is_cut: bool) -> str:
    """Return the text of an answer; bytes that are no UTF-8 become replacement characters.

    Of one that `is_cut` at the limit, the beginning of a last character is left out.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return decoder.decode(b"".join(pieces), final=not is_cut)


def answer_mask(pieces: Iterable[bytes], start: int, stop: int) -> NDArray[np.bool_]:
    """Return which tokens add to the answer: not thinking, not what encloses it, not white space around it.

    `start` and `stop` border the part of the decoded text that holds the answer, in characters.
    """
    pieces = list(pieces)
    text = b"".join(pieces)
    begin, end = _byte_offset(text, start), _byte_offset(text, stop)
    answer = text[begin:end]
    begin += len(answer) - len(answer.lstrip(_WHITE_SPACE))
    end -= len(answer) - len(answer.rstrip(_WHITE_SPACE))
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    starts = ends - np.fromiter((len(piece) for piece in pieces), np.int64, len(pieces))
    return (ends > begin) & (starts < end) & (ends > starts)


def _byte_offset(text: bytes, characters: int) -> int:
    """Return how many bytes stand for the first characters of a text in which some bytes may be no UTF-8."""
    decoded = text.decode("utf-8", "replace")
    if characters >= len(decoded):
        return len(text)
    if decoded.encode() == text:
        return len(decoded[:characters].encode())
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    written = 0
    for number in range(len(text)):
        written += len(decoder.decode(text[number : number + 1]))
        if written > characters:
            return number
    return len(text)
