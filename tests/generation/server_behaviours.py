"""What servers that people have do otherwise than the interface says, as options of `FaultServer`."""

import email.utils
import gzip
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

__all__ = ["BEHAVIOURS"]


def _said(message: str, status: int = 400) -> tuple[int, Any]:
    return status, {"error": {"message": message, "type": "invalid_request_error"}}


def _no_system(status: int, message: str) -> dict[str, Any]:
    def refusal(request: dict[str, Any], is_chat: bool) -> tuple[int, Any] | None:
        roles = [turn["role"] for turn in request.get("messages", [])]
        return _said(message, status) if "system" in roles else None

    return {"refusal": refusal}


def _refuses(
    wrong: Callable[[dict[str, Any]], bool], message: str, status: int = 400, **options: Any
) -> dict[str, Any]:
    return {"refusal": lambda request, is_chat: _said(message, status) if wrong(request) else None, **options}


def _each(change: Callable[[dict[str, Any], dict[str, Any]], None], **options: Any) -> dict[str, Any]:
    """Change each answer of a reply."""

    def reshape(body: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
        for choice in body["choices"]:
            change(choice, request)
        return body

    return {"reshape": reshape, **options}


def _ends(reason: Any) -> dict[str, Any]:
    return _each(lambda choice, _: choice.update(finish_reason=reason))


def _switched(off: Callable[[dict[str, Any]], bool], **options: Any) -> dict[str, Any]:
    """A model that thinks unless a request says so, on a server that ignores what it does not know."""
    return {"thinks": 30, "stops_thinking": off, **options}


def _is_template_off(request: dict[str, Any]) -> bool:
    return request.get("chat_template_kwargs", {}).get("enable_thinking") is False


def _hide(choice: dict[str, Any]) -> None:
    message = choice["message"]
    message["reasoning_content"] = message.get("reasoning_content", "") + message["content"]
    message["content"] = None


def _thinks_in_text(body: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Think as a model does whose server does not tell thinking from answers, and less at a lower effort."""
    length = 20 if request.get("reasoning_effort") == "low" else 200
    for choice in body["choices"]:
        choice["message"]["content"] = f"<thought>{'hm ' * length}</thought>{choice['message']['content']}"
    return body


def _hides_when_off(body: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Take a whole answer for thinking, as vLLM's parsers do where the template has closed the thinking itself."""
    for choice in body["choices"] if _is_template_off(request) else ():
        _hide(choice)
    return body


def _counting(drops_system: bool, own: str = "") -> Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]:
    """Count the characters of a prompt as its tokens; `own` is the template's line where there is no other."""

    def reshape(body: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
        turns = request.get("messages", [])
        kept = [x["content"] for x in turns if x["role"] == "user" or not drops_system]
        body["usage"]["prompt_tokens"] = sum(map(len, kept if len(kept) > 1 else [own, *kept]))
        return body

    return reshape


def _unknown(known: str) -> Callable[[dict[str, Any], bool], tuple[int, Any] | None]:
    """Refuse every parameter that is not known, all in one message, as Mistral's API does."""

    def refusal(request: dict[str, Any], is_chat: bool) -> tuple[int, Any] | None:
        extra = [name for name in request if name not in known.split()]
        rows = [
            {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
            for name in extra
        ]
        return (422, {"object": "error", "message": {"detail": rows}, "code": None}) if extra else None

    return refusal


def _stream(body: dict[str, Any], request: dict[str, Any]) -> bytes:
    """Answer in pieces although nobody asked for them: one a word, the end in a piece of its own."""
    lines = [": comment"]
    for choice in body["choices"]:
        message = choice.pop("message")
        rows = (choice.get("logprobs") or {}).get("content", [])
        own = {"index": choice["index"], "finish_reason": None}
        words = message["content"].split(" ")[1:]
        lines.append(json.dumps({"choices": [{**own, "delta": {"role": "assistant", "content": ""}}]}))
        for place, word in enumerate(words):
            piece = {**own, "delta": {"content": f" {word}"}, "logprobs": {"content": rows[place : place + 1]}}
            lines.append(json.dumps({"choices": [piece]}))
        end = {
            **own,
            "delta": {},
            "finish_reason": choice["finish_reason"],
            "logprobs": {"content": rows[len(words) :]},
        }
        lines.append(json.dumps({"choices": [end]}))
    lines += [json.dumps({"choices": [], "usage": body["usage"]}), "[DONE]"]
    return "\n\n".join(line if line.startswith(":") else f"data: {line}" for line in lines).encode()


def _without(body: dict[str, Any], name: str) -> dict[str, Any]:
    del body[name]
    return body


def _busy(wanted: Callable[[int], bool], status: int, body: Any) -> dict[str, Any]:
    """Turn away the requests of some numbers, with the date of a moment ago to come back at."""
    numbers = itertools.count()

    def refusal(request: dict[str, Any], is_chat: bool) -> tuple[Any, ...] | None:
        date = {"Retry-After": email.utils.formatdate(time.time() - 5)}
        return (status, body, date) if wanted(next(numbers)) else None

    return {"refusal": refusal}


def _three_refusals(request: dict[str, Any], is_chat: bool) -> tuple[int, Any] | None:
    if request["max_tokens"] < 16:
        return 400, {"detail": "Bad request"}
    if request.get("temperature") == 0 or any(turn["role"] == "system" for turn in request["messages"]):
        return 422, {"detail": "Unprocessable entity"}
    return None


def _keeps_thoughts(body: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a model that has thought until the limit, on a server that tells the number of tokens."""
    for choice in body["choices"]:
        choice |= {"message": {"role": "assistant", "content": ""}, "finish_reason": "length", "logprobs": None}
    body["usage"]["completion_tokens_details"] = {"reasoning_tokens": body["usage"]["completion_tokens"]}
    return body


def _fails_inside(body: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    if "Question" not in str(request):
        return body
    error = {"code": "400", "message": "the provider refuses this prompt"}
    return {**body, "choices": [{"index": 0, "error": error, "finish_reason": "error", "message": {"content": ""}}]}


def _o_series(request: dict[str, Any], is_chat: bool) -> tuple[int, Any] | None:
    """Refuse what OpenAI's models that think refuse, in its words."""
    name = next((x for x in ("max_tokens", "top_k", "min_p", "logprobs", "presence_penalty") if x in request), None)
    if name == "max_tokens":
        return _said(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
    if name in ("top_k", "min_p"):
        return _said(f"Unrecognized request argument supplied: {name}")
    if name is not None:
        return _said(f"Unsupported parameter: '{name}' is not supported with this model.")
    if request.get("temperature", 1) != 1:
        return _said("Unsupported value: 'temperature' does not support 0: only the default (1) value is supported.")
    if request.get("max_completion_tokens", 99) < 16:
        return _said(
            "Invalid 'max_completion_tokens': integer below minimum value. Expected a value >= 16, but got 12 instead."
        )
    return None


def _tgi(request: dict[str, Any], is_chat: bool) -> tuple[int, Any] | None:
    """Refuse what text-generation-inference refuses."""
    if request.get("temperature") == 0:
        return 422, {
            "error": "Input validation error: `temperature` must be strictly positive",
            "error_type": "validation",
        }
    if not 0 < request.get("top_p", 0.5) < 1:
        return 422, {"error": "Input validation error: `top_p` must be > 0.0 and < 1.0", "error_type": "validation"}
    return None


def _claude(request: dict[str, Any], is_chat: bool) -> tuple[int, Any] | None:
    if "temperature" in request and "top_p" in request:
        return _said("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    return None


def _gemini(request: dict[str, Any], is_chat: bool) -> tuple[int, Any] | None:
    unknown = next(
        (name for name in ("seed", "top_k", "min_p", "repetition_penalty", "logprobs") if name in request), None
    )
    if unknown is not None:
        message = f'Invalid JSON payload received. Unknown name "{unknown}": Cannot find field.'
        return 400, [{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}]
    if "presence_penalty" in request:
        return 400, [
            {"error": {"code": 400, "message": "Penalty is not enabled for this model", "status": "INVALID_ARGUMENT"}}
        ]
    return None


_MISTRAL = "model messages max_tokens temperature top_p random_seed stream n stop presence_penalty frequency_penalty"

BEHAVIOURS: dict[str, dict[str, Any]] = {
    "good": {},
    "no system role, 400": _no_system(400, "System role not supported"),
    "no system role, 500": _no_system(500, "Conversation roles must alternate user/assistant/user/assistant/..."),
    "no system role, bare 500": _no_system(500, "Internal Server Error"),
    "system prompt dropped": {"reshape": _counting(True)},
    "system prompt kept": {"reshape": _counting(False)},
    "system prompt in place of the template's": {"reshape": _counting(False, "You are a helpful assistant.")},
    "system prompt as long as the template's": {"reshape": _counting(False, "Reply at length")},
    "temperature 0, 400": _refuses(lambda x: x.get("temperature") == 0, "temperature must be strictly positive"),
    "temperature 0, 500": _refuses(lambda x: x.get("temperature") == 0, "float division by zero", 500),
    "temperature from 0.07": _refuses(lambda x: x.get("temperature", 1) < 0.07, "temperature must be at least 0.07"),
    "temperature 1 alone": _refuses(lambda x: x.get("temperature", 1) != 1, "Only the default (1) value is supported"),
    "no temperature": _refuses(lambda x: "temperature" in x, "Unsupported parameter: temperature"),
    "at least 16 tokens": _refuses(lambda x: x["max_tokens"] < 16, "max_tokens must be >= 16", length=20),
    "more tokens": _refuses(lambda x: x["max_tokens"] < 32, "max_tokens is too small", length=40),
    "at least 16 tokens, unnamed": _refuses(
        lambda x: x["max_tokens"] < 16, "Expected a value >= 16, but got 12 instead."
    ),
    "more tokens, unsaid": _refuses(lambda x: x["max_tokens"] < 33, "invalid request"),
    "no system role, no temperature 0, no few tokens": {"refusal": _three_refusals},
    "typed content wanted": _refuses(
        lambda x: any(isinstance(turn["content"], str) for turn in x["messages"]), "messages.0.content: must be a list"
    ),
    "content in parts": _each(
        lambda choice, _: choice["message"].update(content=[{"type": "text", "text": choice["message"]["content"]}])
    ),
    "thinking in parts": _each(
        lambda choice, _: choice["message"].update(
            content=[
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm hm"}]},
                {"type": "text", "text": choice["message"]["content"]},
            ]
        )
    ),
    "500 names logprobs": _refuses(lambda x: "logprobs" in x, "KeyError: 'logprobs'", 500),
    "bare 500 for the seed": _refuses(lambda x: "seed" in x, "Internal Server Error", 500),
    "bare 400 for the seed": _refuses(lambda x: "seed" in x, "Bad Request"),
    "bare list of models": {"model_list": [{"id": "toy"}]},
    "models under `models`": {"model_list": {"models": [{"name": "toy", "model": "toy"}]}},
    "models by name": {"model_list": {"models": {"toy": {"context_length": 512}}}},
    "one model, no list": {"model_list": {"data": {"id": "toy", "object": "model"}}},
    "names of models": {"model_list": {"data": ["toy"]}},
    "no list, 404": {"model_list": 404},
    "no list, 401": {"model_list": 401},
    "no list, 403": {"model_list": 403},
    "no list, 405": {"model_list": 405},
    "no list, 501": {"model_list": 501},
    "thinking off by template": _switched(_is_template_off),
    "thinking off by think": _switched(lambda x: x.get("think") is False),
    "thinking off by effort": _switched(lambda x: x.get("reasoning_effort") == "none"),
    "thinking off by reasoning": _switched(lambda x: x.get("reasoning", {}).get("enabled") is False),
    "thinking off by type": _switched(lambda x: x.get("thinking", {}).get("type") == "disabled"),
    "thinking off by enable_thinking": _switched(lambda x: x.get("enable_thinking") is False),
    "thinking off, others refused": _switched(
        lambda x: x.get("reasoning_effort") == "none",
        refusal=lambda x, _: _said("unknown field") if "chat_template_kwargs" in x or "think" in x else None,
    ),
    "thinks in the text": {
        "reshape": _thinks_in_text,
        "stops_thinking": lambda _: True,
    },
    "always thinks": _switched(lambda _: False),
    "always thinks, refuses": _switched(
        lambda _: False,
        refusal=_unknown(f"{_MISTRAL} logprobs top_logprobs top_k min_p seed repetition_penalty repeat_penalty"),
    ),
    "answer as thinking, thinking off": _switched(_is_template_off, reshape=_hides_when_off),
    "answer as thinking": _each(lambda choice, _: _hide(choice)),
    "thoughts kept by the server": {"reshape": _keeps_thoughts},
    "thoughts in details": _each(
        lambda choice, _: choice["message"].update(reasoning_details=[{"type": "reasoning.text", "text": "hm hm"}])
    ),
    "answer in both places": _each(
        lambda choice, _: choice["message"].update(reasoning_content=choice["message"]["content"])
    ),
    "content as one part": _each(
        lambda choice, _: choice["message"].update(content={"type": "text", "text": choice["message"]["content"]})
    ),
    "message as a text": _each(lambda choice, _: choice.update(message=choice["message"]["content"])),
    "finish reason null": _ends(None),
    "finish reason eos": _ends("eos"),
    "finish reason end_turn": _ends("end_turn"),
    "finish reason max_tokens": _ends("max_tokens"),
    "finish reason model_length": _ends("model_length"),
    "finish reason unknown": _ends("because"),
    "finish reason tool_calls": _ends("tool_calls"),
    "event stream": {"reshape": _stream, "headers": {"Content-Type": "text/event-stream"}},
    "byte order mark": {"reshape": lambda body, _: b"\xef\xbb\xbf" + json.dumps(body).encode()},
    "gzip": {
        "reshape": lambda body, _: gzip.compress(json.dumps(body).encode()),
        "headers": {"Content-Encoding": "gzip"},
    },
    "web page": {"reshape": lambda *_: b"<html><body>Sign in</body></html>"},
    "error under 200": {"reshape": lambda *_: {"error": {"message": "model not loaded"}}},
    "refusal under 200": _refuses(lambda x: "top_k" in x, "top_k is not a known parameter", 200),
    "303 to a login": {"redirect": (303, lambda path: "/login?next=x" if path.endswith("completions") else None)},
    "error inside the choice": {"reshape": _fails_inside},
    "no choices for a question": {
        "reshape": lambda body, request: {**body, "choices": []} if "Question 1" in str(request) else body
    },
    "web page of a proxy": {
        "refusal": lambda x, _: (
            (413, b"<html><title>413 Request Entity Too Large</title>") if "Question" in str(x) else None
        )
    },
    "no choices": {"reshape": lambda body, _: {**body, "choices": []}},
    "n ignored": {"ignores": frozenset({"n"})},
    "500 for several": _refuses(lambda x: x.get("n", 1) > 1, "list index out of range", 500),
    "500 for top_k 1": _refuses(lambda x: x.get("top_k") == 1, "Internal Server Error", 500),
    "no n": _refuses(lambda x: "n" in x, "Unsupported parameter: 'n'"),
    "logprobs null": {"ignores": frozenset({"logprobs"})},
    "index missing": _each(lambda choice, _: choice.pop("index")),
    "usage beyond all bounds": {
        "reshape": lambda body, _: {**body, "usage": {"prompt_tokens": 10**30, "completion_tokens": 10**30}}
    },
    "usage missing": {"reshape": lambda body, _: _without(body, "usage")},
    "busy with a date": _busy(lambda number: number % 3 == 1, 429, {"error": {"message": "slow down"}}),
    "loading": _busy(lambda number: number < 5, 503, {"error": {"message": "Loading model", "code": 503}}),
    "context too short": _refuses(
        lambda x: "Question" in str(x),
        "This model's maximum context length is 8 tokens. However, you requested 20 tokens",
    ),
    "completions alone": {"has_chat": False},
    "no chat template": {
        "refusal": lambda x, is_chat: _said("the tokenizer does not define a chat template") if is_chat else None
    },
    "Mistral's API": {"refusal": _unknown(_MISTRAL)},
    "OpenAI's thinking models": {"refusal": _o_series, "length": 20},
    "text-generation-inference": {"refusal": _tgi},
    "Anthropic's endpoint": {"refusal": _claude},
    "Google's endpoint": {"refusal": _gemini},
}
