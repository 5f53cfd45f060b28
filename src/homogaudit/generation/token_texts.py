"""What the tokens of an answer read like: bytes become text, also where a character is spread over several tokens."""

import codecs
from collections.abc import Sequence

__all__ = ["texts_of_pieces"]


def texts_of_pieces(pieces: Sequence[bytes]) -> tuple[str, ...]:
    """Return the text that each token adds; joined they are the text of all.

    A character that is spread over several tokens belongs to the last of them, and bytes that are no UTF-8 become
    replacement characters.

    Args:
        pieces: The bytes of each token, in order.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    last = len(pieces) - 1
    return tuple(decoder.decode(piece, final=number == last) for number, piece in enumerate(pieces))
