"""Where a figure stands in the JSON that a command prints, such as `homogenization.methods.jaccard.scr`.

Steps are parted by dots. `pairs[boundaries=B1+B2]` is the first item of a list whose key has that value, lists joined
by a plus; `*` is every key of an object, `pairs[boundaries=*]` every item of a list. The key may be a path itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

_STEP = re.compile(r"([^.\[\]]+)(?:\[([^=\[\]]+)=([^\[\]]*)\])?(?:\.|$)")


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a path.

    Attributes:
        names: What each `*` of the path stood for.
        value: A number, an object, or `None` where there is none.
        reason: Why there is none.
    """

    names: tuple[str, ...]
    value: Any
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path.

    Attributes:
        key: Of an object, `*` for every one.
        select: Which item of the list under the key: its key and the value of that; `None` for the value itself.
    """

    key: str
    select: tuple[str, str] | None


def steps(path: str) -> tuple[Step, ...]:
    """Return the steps of a path.

    Raises:
        ValueError: It is no path.
    """
    found, at = list[Step](), 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise ValueError(f"`{path}` is no path to a figure")
        found.append(Step(match[1], (match[2], match[3]) if match[2] else None))
        at = match.end()
    if not found:
        raise ValueError("a path to a figure is empty")
    return tuple(found)


def find(values: Any, path: str) -> list[Found]:
    """Return what stands at a path: one thing, or as many as a `*` has keys."""
    return list(_find(values, steps(path), ()))


def _find(values: Any, rest: tuple[Step, ...], names: tuple[str, ...]) -> Iterator[Found]:
    if (missing := _missing(values)) is not None:
        yield Found(names, None, missing)
    elif not rest:
        yield Found(names, values)
    else:
        step = rest[0]
        mapping = cast("dict[str, Any]", values) if isinstance(values, dict) else {}
        keys = list(mapping) if step.key == "*" else [step.key] if step.key in mapping else []
        if not keys:
            yield Found(names, None, "nothing to show" if step.key == "*" else f"`{step.key}` is not in the output")
        for key in keys:
            told = (*names, key) if step.key == "*" else names
            if step.select is None:
                yield from _find(mapping[key], rest[1:], told)
                continue
            for name, chosen in _selected(mapping[key], *step.select):
                yield from _find(chosen, rest[1:], told if name is None else (*told, name))


def _missing(values: Any) -> str | None:
    """Return why a value does not exist, `None` where it does."""
    if values is None:
        return "not computed"
    if isinstance(values, dict):
        mapping = cast("dict[str, Any]", values)
        if mapping.get("value", 0) is None:
            return str(mapping.get("reason") or "not computed")
    return None


def _selected(values: Any, key: str, wanted: str) -> list[tuple[str | None, Any]]:
    """Return the item of a list whose key has a value, or every item with its name, else why there is none."""
    if _missing(values) is not None:
        return [(None, values)]
    listed = cast("list[Any]", values) if isinstance(values, list) else []
    items = [cast("dict[str, Any]", item) for item in listed if isinstance(item, dict)]
    named = [(_text(find(item, key)[0].value), item) for item in items]
    if wanted == "*" and named:
        return [*named]
    found = next((item for name, item in named if name == wanted), None)
    return [
        (
            None,
            found or {"value": None, "reason": "nothing to show" if wanted == "*" else f"nothing with {key} {wanted}"},
        )
    ]


def _text(value: Any) -> str:
    return "+".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value)
