"""What the tokens of an answer read like: bytes become text, also where a character is spread over several tokens."""

import codecs
from collections.abc import Callable, Iterable, Mapping, Sequence

from homogaudit.records import TokenStatistics


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
