"""Multiple choice: where a record holds its choices, and which of them a file calls right.

Choices are texts. A file names the right one by its text, by its letter or by its place, counted from 0 or from 1; how
it counts is decided over the whole file.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from homogaudit.errors import QuestionFileError
from homogaudit.questions.references import decoded, lowered_keys
from homogaudit.questions.wording import quoted
from homogaudit.records import CHOICE_LETTERS

_LISTS = ("choices", "options", "endings", "candidates", "answer_choices", "answer_options", "option", "choice")
"""Columns that hold all choices of a question."""

_TARGETS = ("mc1_targets", "mc2_targets", "target_scores", "multiple_choice_scores")
"""Columns that hold all choices and say of each whether it is right."""

_FAMILIES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:option|choice|ans|answer|ending|sol|alternative|opt|op)[_ ]?([a-j])",
        r"([a-j])",
        r"(?:option|choice|ans|ending|sol|alternative|opt)[_ ]?([0-9])",
        r"answer[_ ]?([0-9])",
    )
)
"""Columns that hold one choice each, by their normalised names."""

_KEYS = (
    "answerkey",
    "answer_key",
    "answer",
    "correct_answer",
    "correct_option",
    "correct",
    "label",
    "gold",
    "target",
    "answer_idx",
    "answer_index",
    "correct_index",
    "correct_idx",
    "correct_answer_id",
    "correct_answer_index",
    "correct_choice",
    "correct_answers",
    "correct_answer(s)",
    "correct_options",
    "correct_choices",
    "correct_indices",
    "correct_letter",
    "correct_answer_letter",
    "answer_letter",
    "answer_id",
    "answer_label",
    "gold_label",
    "gold_index",
    "cop",
    "solution",
    "answers",
    "ideal",
)
"""Columns that say which choice is right, in the order in which they are tried."""

_PLACES = frozenset(
    {
        "answer_idx",
        "answer_index",
        "correct_index",
        "correct_idx",
        "correct_answer_id",
        "correct_answer_index",
        "correct",
        "label",
    }
)
"""Columns that make a list called `answers` one of choices: whoever lists correct answers has no use for a place."""

_MARKS = ("is_correct", "correct", "iscorrect", "right", "is_right")
"""What an object of a list says of whether it is right."""

_LETTERED = re.compile(r"\(?([A-Za-z])[).:]\s*(.*)", re.DOTALL)
_OPTION_INLINE = re.compile(
    r"(?:^|(?<=[\s,;:?]))\(?([A-Za-z])[ \t]?\)[ \t]*(\S.*?)(?=[ \t,;]+\(?[A-Za-z][ \t]?\)|[ \t]*$)", re.MULTILINE
)
_SEVERAL = re.compile(r"(?:[A-Z]{2,}|\w+(?:\s*[,;&+/]\s*|\s+and\s+)\w+(?:(?:\s*[,;&+/]\s*|\s+and\s+)\w+)*)")
"""Several letters or places in one text: `A, C`, `AC`, `1,2`."""
_BETWEEN = re.compile(r"\s*[,;&+/]\s*|\s+and\s+")
_OPTION_LINE = re.compile(r"^[ \t]*\(?([A-Z])[).:][ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
_PLACE = re.compile(r"-?[0-9]+(?:\.0+)?")


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of one question.

    Attributes:
        right: Places of the right ones, from 0; empty where the file does not say.
    """

    texts: tuple[str, ...]
    right: tuple[int, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """The texts of the right ones."""
        return tuple(dict.fromkeys(self.texts[place] for place in self.right))

    @property
    def incorrect_answers(self) -> tuple[str, ...]:
        """The texts of the others; none where it is not known which are right."""
        if not self.right:
            return ()
        others = (text for place, text in enumerate(self.texts) if place not in self.right)
        return tuple(text for text in dict.fromkeys(others) if text not in self.answers)


@dataclass(frozen=True, slots=True)
class _Listed:
    """Choices as a record lists them.

    Attributes:
        labels: Their own, as the record gives them; empty where it gives none.
        right: Places of the right ones, where the list says so itself.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    right: tuple[int, ...] | None = None
    are_numbers: bool = False


class ChoiceReader:
    """Reads the choices of one file.

    Records are by normalised column, each with the words that name its line. `key` is the column that the user named
    for answers, and `taken` are those that hold something else.

    Raises:
        QuestionFileError: A record names a choice that it does not have.

    Attributes:
        columns: That hold the choices; empty where the file has none.
        key: The column that says which is right; `None` where none does, or the list itself does.
        note: What was taken where the file does not say how it counts; empty where it does.
    """

    def __init__(self, records: Sequence[tuple[Mapping[str, Any], str]], key: str | None, taken: Iterable[str]) -> None:
        self.columns: tuple[str, ...] = ()
        self.key: str | None = None
        self.note = ""
        self._records = records
        names = {name for values, _ in records for name in values} - set(taken)
        self._find(names, key)
        listed_choices = [self._listed(values, where) for values, where in records] if self.columns else []
        self._found: list[Choices | None] = [None] * len(records)
        if not any(listed_choices):
            self.columns = ()
            return
        if any(choices is not None and choices.right is not None for choices in listed_choices):
            for row, choices in enumerate(listed_choices):
                if choices is not None:
                    self._found[row] = Choices(choices.texts, choices.right or ())
            return
        self._resolve(listed_choices, names, key)

    def of(self, row: int) -> Choices | None:
        """Return the choices of a record, `None` where it has none."""
        return self._found[row]

    def _find(self, names: set[str], key: str | None) -> None:
        """Decide which columns hold the choices."""
        if target := next((name for name in _TARGETS if name in names), None):
            self.columns = (target,)
            return
        # `answers` lists choices only where another column says which of them is right by its place.
        is_marked = any(_is_marked(values.get("answers")) for values, _ in self._records)
        lists = (*_LISTS, "answers") if is_marked or (names & _PLACES and key != "answers") else _LISTS
        for name in lists:
            if name in names and any(self._listed_in(values.get(name)) for values, _ in self._records):
                self.columns = (name,)
                return
        keys = names & {*_KEYS, *([key] if key else [])}
        for family in _FAMILIES:
            members = sorted((match[1], name) for name in names if (match := family.fullmatch(name)))
            first = [mark for mark, _ in members][:2]
            # One column is no family, and columns of answers without a key are all of them references.
            if first in (["a", "b"], ["0", "1"], ["1", "2"]) and keys - {name for _, name in members}:
                self.columns = tuple(name for _, name in members)
                return

    def _listed(self, values: Mapping[str, Any], where: str) -> _Listed | None:
        if len(self.columns) == 1:
            return self._listed_in(values.get(self.columns[0]), where)
        texts = tuple(_text(values.get(name)) for name in self.columns)
        while texts and not texts[-1]:
            texts = texts[:-1]
        # A key may name the column: `option_c`, `Option C`, or 3 where they are numbered.
        return _Listed(texts, self.columns[: len(texts)]) if sum(map(bool, texts)) > 1 else None

    @staticmethod
    def _listed_in(value: object, where: str = "") -> _Listed | None:
        value = decoded(value, where)
        if isinstance(value, str):
            return _of_text(value)
        if isinstance(value, dict):
            return _of_object(lowered_keys(cast("dict[str, Any]", value)), cast("dict[str, Any]", value))
        if not isinstance(value, list) or len(cast("list[Any]", value)) < 2:
            return None
        items = cast("list[Any]", value)
        if all(isinstance(item, dict) for item in items):
            objects = [lowered_keys(item) for item in items]
            texts = tuple(
                _text(_first(item, ("text", "content", "choice", "option", "value", "para", "answer")))
                for item in objects
            )
            labels = tuple(_text(_first(item, ("label", "key", "id", "letter"))) for item in objects)
            marks = [_first(item, _MARKS) for item in objects]
            right = tuple(place for place, mark in enumerate(marks) if mark in (True, 1, "true", "True", "1", "yes"))
            is_marked = any(mark is not None for mark in marks)
            return _Listed(texts, labels if all(labels) else (), right if is_marked else None) if all(texts) else None
        if any(isinstance(item, dict | list) for item in items):
            return None
        if all(isinstance(item, int | float) for item in items):
            return _Listed(tuple(map(_text, items)), (), are_numbers=True)
        return _without_letters(tuple(_text(item) for item in items))

    def _resolve(self, listed_choices: Sequence[_Listed | None], names: set[str], key: str | None) -> None:
        """Find the column that says which choice is right, and how it counts."""
        candidates = [key] if key else [name for name in _KEYS if name in names and name not in self.columns]
        for name in candidates:
            keys = [
                _Key(decoded(values.get(name), where), choices, where)
                for (values, where), choices in zip(self._records, listed_choices, strict=True)
                if choices is not None
            ]
            given = [each for each in keys if each.is_given]
            if not given:
                continue
            by_text = all(each.names_texts for each in given)
            base, note = (0, "") if by_text else _base(given, name)
            found = [each.right(base, by_text=by_text) for each in keys]
            lost = [each for each, right in zip(keys, found, strict=True) if right is None]
            if len(lost) * 2 >= len(given):
                continue
            if lost:
                raise QuestionFileError(
                    f"{lost[0].where}: {quoted(name)} is {quoted(lost[0].value)}, which is not one of its "
                    f"{len(lost[0].choices.texts)} choices",
                    "give the text, the letter or the number of the right choice",
                )
            self.key, self.note = name, note
            rights = iter(found)
            for row, choices in enumerate(listed_choices):
                if choices is not None:
                    self._found[row] = Choices(choices.texts, next(rights) or ())
            return
        if self.columns == ("answers",):
            # Without a place among them they are what they are called.
            self.columns = ()
            return
        for row, choices in enumerate(listed_choices):
            if choices is not None:
                self._found[row] = Choices(choices.texts, ())


def _is_marked(value: object) -> bool:
    """Whether a value is a list of objects that say of each answer whether it is right."""
    value = decoded(value, "")
    return isinstance(value, list) and any(
        isinstance(item, dict) and _first(lowered_keys(cast("dict[str, Any]", item)), _MARKS) is not None
        for item in cast("list[Any]", value)
    )


class _Key:
    """What one record says of the right choice."""

    def __init__(self, value: object, choices: _Listed, where: str) -> None:
        self.value = value
        self.choices = choices
        self.where = where
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        given = [text for item in items if (text := _text(item)) and text != "-1"]
        self.items = [part for text in given for part in self._parts(text)]

    def _parts(self, text: str) -> list[str]:
        """Return the letters or places that a text lists, or the text itself where it is none of these."""
        if not _SEVERAL.fullmatch(text) or _same(text, self.choices.texts) is not None:
            return [text]
        parts = list(text) if text.isupper() and text.isalpha() else _BETWEEN.split(text)
        is_place = [_LETTER.fullmatch(part) or _PLACE.fullmatch(part) for part in parts]
        return list(dict.fromkeys(parts)) if all(is_place) and len(parts) <= len(self.choices.texts) else [text]

    @property
    def is_given(self) -> bool:
        return bool(self.items)

    @property
    def names_texts(self) -> bool:
        """Whether it can be read as the texts of choices; a number among choices that are texts is a place."""
        is_place = isinstance(self.value, int) and not self.choices.are_numbers
        return not is_place and all(_same(item, self.choices.texts) is not None for item in self.items)

    @property
    def places(self) -> list[int]:
        """The numbers that are places: no label reads like them."""
        return [
            int(float(item))
            for item in self.items
            if _PLACE.fullmatch(item) and _same(item, self.choices.labels) is None
        ]

    def right(self, base: int, *, by_text: bool) -> tuple[int, ...] | None:
        """Return the places of the right choices, `None` where one of them is none of the choices."""
        found = [_same(item, self.choices.texts) if by_text else self._place(item, base) for item in self.items]
        return None if None in found else tuple(place for place in found if place is not None)

    def _place(self, item: str, base: int) -> int | None:
        texts, labels = self.choices.texts, self.choices.labels
        if (place := _same(item, labels)) is None:
            place = _same(re.sub(r"[\s-]+", "_", item), labels)
        if place is not None:
            return place
        if _PLACE.fullmatch(item):
            place = int(float(item)) - base
            if 0 <= place < len(texts):
                return place
        if (place := _same(item, texts)) is not None:
            return place
        for pattern in (_LETTER, _LETTERED):
            match = pattern.fullmatch(item)
            if match is None:
                continue
            if (place := _same(match[1], labels)) is not None:
                return place
            place = CHOICE_LETTERS.find(match[1].upper())
            # `A. Mercury` names the first choice only where that is Mercury.
            if place < len(texts) and (pattern is _LETTER or _same(match[2], texts) == place):
                return place
        return None


def lettered_options(text: str) -> dict[str, str]:
    """Return the choices that a text lists by their letters; empty where it lists none.

    Such lines are `(A) Venus` and `B. Mercury`, or `A) Venus B) Mercury` in one.
    """
    for pattern in (_OPTION_LINE, _OPTION_INLINE):
        found = [(match[1].upper(), match[2].strip()) for match in pattern.finditer(text)]
        letters = "".join(letter for letter, _ in found)
        if len(letters) > 1 and letters == CHOICE_LETTERS[: len(letters)]:
            return dict(found)
    return {}


def named_option(reference: str, options: Mapping[str, str]) -> str | None:
    """Return the letter by which a reference names one of some options, `None` where it names none."""
    match = _LETTER.fullmatch(reference.strip())
    if match is None and (match := _LETTERED.fullmatch(reference.strip())):
        # `B. Mercury` names the second choice only where that is Mercury.
        option = options.get(match[1].upper(), "")
        return match[1].upper() if option and _same(match[2], [option]) is not None else None
    return match[1].upper() if match and match[1].upper() in options else None


def _of_text(value: str) -> _Listed | None:
    """Return choices that stand in one text: with letters, a line each, or between bars."""
    if options := lettered_options(value):
        return _Listed(tuple(options.values()), tuple(options))
    for delimiter in ("\n", "|"):
        parts = tuple(part.strip() for part in value.split(delimiter) if part.strip())
        if len(parts) > 1:
            return _without_letters(parts)
    return None


def _base(keys: Sequence[_Key], name: str) -> tuple[int, str]:
    """Return from which number a file counts its choices, and what to say where it does not show."""
    if name == "label" and any({"answera", "answerb", "answerc"} == set(key.choices.labels) for key in keys):
        # Social IQa, whose first choice is 1 in every file.
        return 1, ""
    places = [(place, len(key.choices.texts)) for key in keys for place in key.places]
    if not places or any(place == 0 for place, _ in places):
        return 0, ""
    if name != "label" and all(key.choices.labels and key.choices.labels[0].endswith("1") for key in keys):
        return 1, f"{quoted(name)} is assumed to count the choices from 1, as their columns do"
    if any(place >= size for place, size in places):
        return 1, f"{quoted(name)} counts the choices from 1: it is never 0, and goes up to their number"
    return 0, f"{quoted(name)} is assumed to count the choices from 0: it is never 0, but never their number either"


def _of_object(keys: Mapping[str, Any], value: Mapping[str, Any]) -> _Listed | None:
    """Return choices that are an object: lists side by side, letters with texts, or texts with what they score."""
    texts = next(
        (keys[name] for name in ("text", "choices", "texts", "options") if isinstance(keys.get(name), list)), None
    )
    if texts is not None:
        marks = next((keys[name] for name in ("label", "labels", "key") if isinstance(keys.get(name), list)), [])
        plain = tuple(map(_text, cast("list[Any]", texts)))
        if len(plain) < 2 or not all(plain):
            return None
        if "labels" in keys and len(marks) == len(plain) and set(marks) <= {0, 1}:
            return _Listed(plain, (), tuple(place for place, mark in enumerate(marks) if mark == 1))
        return _Listed(plain, tuple(map(_text, marks)) if len(marks) == len(plain) else ())
    if len(value) < 2 or any(isinstance(item, dict | list) for item in value.values()):
        return None
    if all(isinstance(item, int | float) for item in value.values()) and not all(map(_LETTER.fullmatch, value)):
        best = max(value.values())
        right = tuple(place for place, score in enumerate(value.values()) if score == best and score > 0)
        return _Listed(tuple(value), (), right)
    kept = [(label, text) for label, item in value.items() if (text := _text(item))]
    return _Listed(tuple(text for _, text in kept), tuple(label for label, _ in kept)) if len(kept) > 1 else None


def _without_letters(texts: tuple[str, ...]) -> _Listed | None:
    """Return listed choices, without the letters that stand before each of them."""
    if not all(texts):
        return None
    matches = [_LETTERED.fullmatch(text) for text in texts]
    letters = "".join(match[1].upper() for match in matches if match)
    if letters == CHOICE_LETTERS[: len(texts)]:
        return _Listed(tuple(match[2].strip() for match in matches if match), tuple(letters))
    return _Listed(texts, ())


def _first(item: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((item[name] for name in names if item.get(name) is not None), None)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _same(text: str, texts: Sequence[str]) -> int | None:
    """Return the place of a text among texts, white space and case aside."""
    wanted = " ".join(text.split()).casefold()
    return next((place for place, each in enumerate(texts) if " ".join(each.split()).casefold() == wanted), None)
