"""What two runs do not have in common of how they were drawn: that is what is compared. Knows no figure."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from homogaudit.codec import finite
from homogaudit.comparison.records import DrawingDifference
from homogaudit.report.numbers import threshold
from homogaudit.report.run_data import RunData, mapping
from homogaudit.report.text import shorten

_OWN = "the model's own"
_LONGEST = 40
"""Characters of a system line that are shown."""

_IN_NAME = re.compile(
    r"[-._ ]((?:i?q\d\w*(?:-k(?:-[sml])?)?|bf16|f16|f32|fp16|fp32|int[48]|awq|gptq|mxfp4))$", re.IGNORECASE
)
_IN_DESCRIPTION = re.compile(r"(?P<model>.+?) (?P<quantization>\S+(?: - \w+)?)")
"""As llama.cpp describes a model: architecture, size and quantization, for example `qwen2 1B Q4_K - Medium`."""

_NEVER_LACKING = frozenset({"quantization", "asked in"})
"""What a run need not have: a model that was not asked about its answers was asked in nothing."""

_DECODING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "repetition_penalty": "repetition penalty",
    "max_tokens": "length",
    "greedy_max_tokens": "greedy length",
}


def drawing_differences(baseline: RunData, run: RunData) -> tuple[DrawingDifference, ...]:
    """Return what differs of model, quantization, mode, prompt and decoding, each with both values.

    What is not recorded of one of the runs is not said to differ; see `unrecorded`.
    """
    one, other = drawing_facts(baseline), drawing_facts(run)
    files = [x.run.model_source.fingerprint for x in (baseline, run)]
    same_name = all(one.get(x) == other.get(x) for x in ("model", "quantization"))
    if files[0] is not None and files[0] == files[1]:
        # The same file by whatever name.
        for name in ("model", "quantization"):
            one.pop(name, None)
    elif None not in files and same_name:
        for facts, file in zip((one, other), files, strict=True):
            facts["model file"] = _digest(file)
    if one.get("mode") != other.get("mode") or one.get("mode") == "base":
        # Without a template there is no system line: both go with the mode.
        del one["template"], one["system line"]
    elif one.get("model") != other.get("model") and _OWN in one["template"] and _OWN in other["template"]:
        # A model's own template is part of the model.
        del one["template"]
    return tuple(
        DrawingDifference(name, value, other[name]) for name, value in one.items() if other.get(name, value) != value
    )


def unrecorded(runs: Sequence[RunData]) -> list[list[str]]:
    """Return for each run what is recorded of how another was drawn and not of this one."""
    facts = [drawing_facts(data) for data in runs]
    names = dict.fromkeys(name for own in facts for name in own if name not in _NEVER_LACKING)
    return [[name for name in names if name not in own] for own in facts]


def drawing_facts(data: RunData) -> dict[str, str]:
    """Return what is recorded of how a run was drawn, in words, by what can differ."""
    run, prompting = data.run, mapping(data.parameters.get("prompting"))
    decoding = mapping(data.parameters.get("decoding"))
    samplers = {**decoding, **mapping(decoding.get("samples"))}
    model, quantization = _model(data)
    modes = (str(x.provenance["mode"]) for x in reversed(data.sessions) if x.provenance.get("mode"))
    system, template = prompting.get("system"), prompting.get("template")
    facts = {
        "model": model,
        "quantization": quantization,
        "mode": next(modes, prompting.get("mode")),
        "template": f"replaced ({_digest(template)})" if template else f"{_OWN} ({_digest(run.chat_template)})",
        "system line": f'"{shorten(str(system), _LONGEST)}"' if system else "none",
        "asked in": run.asked_in,
        "thinking": None if "thinking" not in prompting else "on" if prompting["thinking"] else "off",
        **{words: _written(samplers.get(name)) for name, words in _DECODING.items()},
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _written(value: Any) -> str | None:
    found = finite(value)
    return None if found is None else threshold(found)


def _model(data: RunData) -> tuple[str, str | None]:
    """Return the model without its quantization, and that, `None` where it is not known."""
    name = data.run.model
    details = [mapping(x.provenance.get("details")) for x in data.sessions if x.kind == "generate"]
    described = next((str(x["model"]) for x in reversed(details) if x.get("model")), "")
    told, in_name = _IN_DESCRIPTION.fullmatch(described), _IN_NAME.search(name)
    quantization = told["quantization"] if told else in_name[1].upper() if in_name else None
    return (name[: in_name.start()] if in_name else name), quantization


def _digest(text: Any) -> str:
    """Return some digits that tell one text from another."""
    return hashlib.sha256(str(text or "").encode()).hexdigest()[:6]
