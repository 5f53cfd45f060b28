"""What two runs do not have in common of how they were drawn: that is what is compared. Knows no figure."""

import hashlib
import re
from typing import Any

from homogaudit.comparison.records import DrawingDifference
from homogaudit.report.numbers import threshold
from homogaudit.report.run_data import RunData, mapping, number
from homogaudit.report.text import shorten

_UNKNOWN = "not recorded"
_LONGEST = 40
"""Characters of a system line that are shown."""

_IN_NAME = re.compile(
    r"[-._ ]((?:i?q\d\w*(?:-k(?:-[sml])?)?|bf16|f16|f32|fp16|fp32|int[48]|awq|gptq|mxfp4))$", re.IGNORECASE
)
_IN_DESCRIPTION = re.compile(r"(?P<model>.+?) (?P<quantization>\S+(?: - \w+)?)")
"""As llama.cpp describes a model: architecture, size and quantization, for example `qwen2 1B Q4_K - Medium`."""

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
    """Return what differs of model, quantization, mode, prompt and decoding, each with both values."""
    one, other = drawing_facts(baseline), drawing_facts(run)
    files = [x.run.model_source.fingerprint for x in (baseline, run)]
    if files[0] is not None and files[0] == files[1]:
        # The same file by whatever name.
        other |= {"model": one["model"], "quantization": one["quantization"]}
    elif None not in files and (one["model"], one["quantization"]) == (other["model"], other["quantization"]):
        for facts, file in zip((one, other), files, strict=True):
            facts["model file"] = _digest(file)
    if one["mode"] != other["mode"]:
        # Without a template there is no system line: it goes with the mode.
        for facts in (one, other):
            del facts["system line"], facts["template"]
    elif one["model"] != other["model"] and "own" in one["template"] and "own" in other["template"]:
        # A model's own template is part of the model.
        del one["template"], other["template"]
    return tuple(
        DrawingDifference(name, one.get(name, _UNKNOWN), other.get(name, _UNKNOWN))
        for name in dict.fromkeys([*one, *other])
        if one.get(name, _UNKNOWN) != other.get(name, _UNKNOWN)
    )


def drawing_facts(data: RunData) -> dict[str, str]:
    """Return how a run was drawn, in words, by what can differ."""
    run, prompting = data.run, mapping(data.parameters.get("prompting"))
    decoding = mapping(data.parameters.get("decoding"))
    samplers = {**decoding, **mapping(decoding.get("samples"))}
    model, quantization = _model(data)
    mode = next((str(x.provenance["mode"]) for x in reversed(data.sessions) if x.provenance.get("mode")), None)
    mode = mode or str(prompting.get("mode") or _UNKNOWN)
    known = {words: number(samplers.get(name)) for name, words in _DECODING.items()}
    system, template = prompting.get("system"), prompting.get("template")
    return {
        "model": model,
        "quantization": quantization,
        "mode": mode,
        "template": f"replaced ({_digest(template)})"
        if template
        else f"the model's own ({_digest(run.chat_template)})",
        "system line": _UNKNOWN if system is None else f'"{shorten(str(system), _LONGEST)}"' if system else "none",
        "thinking": {True: "on", False: "off"}.get(bool(prompting.get("thinking")), "off"),
        **{words: _UNKNOWN if value is None else threshold(value) for words, value in known.items()},
    }


def _model(data: RunData) -> tuple[str, str]:
    """Return the model without its quantization, and that."""
    name = data.run.model
    details = [mapping(x.provenance.get("details")) for x in data.sessions if x.kind == "generate"]
    described = next((str(x["model"]) for x in reversed(details) if x.get("model")), "")
    told, in_name = _IN_DESCRIPTION.fullmatch(described), _IN_NAME.search(name)
    quantization = told["quantization"] if told else in_name[1].upper() if in_name else _UNKNOWN
    return (name[: in_name.start()] if in_name else name), quantization


def _digest(text: Any) -> str:
    """Return some digits that tell one text from another."""
    return hashlib.sha256(str(text or "").encode()).hexdigest()[:6]
