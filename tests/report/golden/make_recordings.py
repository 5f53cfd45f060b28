"""Makes the recordings beside it: `python make_recordings.py`. Everything in them is invented, from one seed.

An answer names four places; places are what `test_equal_numbers` makes vectors of, in numbers that are exact in any
order of adding, so that every figure is the same on every machine.
"""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PLACES = [a + b for a in ("Nor", "Sal", "Vel", "Tar", "Kes", "Mun") for b in ("dal", "mere", "ford", "by", "wick")]
KINDS = ("harbour", "bridge", "museum")
WORDS = "stands stood lies between beside near the old grey stone market square river and was rebuilt twice".split()
FOLDER = Path(__file__).parent


def tokens(rng: random.Random, unsure: float, count: int) -> dict[str, Any]:
    """Return the arrays of one draw; the more unsure, the higher its entropies."""
    entropies = [round(min(6.0, rng.expovariate(1 / (0.1 + unsure))), 3) for _ in range(count)]
    return {
        "token_ids": [rng.randrange(900) for _ in range(count)],
        "token_entropies": entropies,
        "token_logprobs": [round(-abs(rng.gauss(0, 0.1 + x / 2)), 3) for x in entropies],
        "token_logits": [round(rng.uniform(8, 30), 2) for _ in range(count)],
    }


def answer(rng: random.Random, places: list[str]) -> str:
    words = rng.sample(WORDS, 6)
    return f"It {' '.join(words[:3])} {', '.join(places[:2])} {' '.join(words[3:])} {' '.join(places[2:])}."


def wrongness(rng: random.Random, number: int) -> bool:
    return rng.random() < (0.25, 0.45, 0.6)[number % 3]


def sampled(rng: random.Random) -> list[dict[str, Any]]:
    """60 questions of 5 samples and a greedy answer with token arrays, labels, categories and references."""
    lines: list[dict[str, Any]] = []
    for number in range(60):
        wrong = wrongness(rng, number)
        unsure = rng.uniform(0.3, 1.6) if wrong else rng.uniform(0.0, 1.1)
        meanings = [rng.sample(PLACES, 4) for _ in range(3)]
        spread = rng.choice((1, 1, 2, 3)) if wrong else rng.choice((1, 1, 1, 2))
        samples: list[dict[str, Any]] = []
        for index in range(5):
            places = list(meanings[index % spread])
            if rng.random() < 0.3:
                places[3] = rng.choice([x for x in PLACES if x not in places])
            cut = rng.random() < 0.05
            draw = {"text": answer(rng, places), "finish_reason": "length" if cut else "stop"}
            arrays = tokens(rng, unsure, 5)
            kept = ("token_logprobs", "token_logits")
            samples.append(draw | {key: arrays[key] for key in kept})
        label = "incorrect" if wrong else "correct"
        if number % 20 == 19:
            label = "ambiguous"
        greedy = {"text": answer(rng, meanings[0]), "finish_reason": "stop"} | tokens(rng, unsure, 6)
        joined = f"{', '.join(rng.sample(PLACES, 3))} and {PLACES[number % 30]}"
        since = " since 1987" if number % 4 == 0 else ""
        lines.append(
            {
                "id": f"s{number}",
                "question": f"Which {KINDS[number % 3]} joins {joined}{since}?",
                "category": KINDS[number % 3],
                "answers": [greedy["text"] if not wrong else answer(rng, meanings[1])],
                "incorrect_answers": [greedy["text"] if wrong else answer(rng, meanings[2])],
                "greedy": greedy,
                "samples": samples,
                "label": label,
            }
        )
    return lines


def greedy_only(rng: random.Random) -> list[dict[str, Any]]:
    """90 greedy answers with entropies and recorded signals, two of which are turned round."""
    lines: list[dict[str, Any]] = []
    for number in range(90):
        wrong = wrongness(rng, number)
        line: dict[str, Any] = {
            "id": f"g{number}",
            "question": f"Where did {PLACES[number % 30]} build its {KINDS[number % 3]} number {number}?",
            "category": KINDS[number % 3],
            "greedy": {
                "text": answer(rng, rng.sample(PLACES, 4)),
                "token_entropies": tokens(rng, 1.2 if wrong else 0.8, 4 + number % 5)["token_entropies"],
            },
            "label": "incorrect" if wrong else "correct",
            "signals": {
                "density": round(rng.gauss(0.4 if wrong else 0.55, 0.15), 4),
                "popularity": round(rng.gauss(2.0 if wrong else 3.0, 1.0), 3),
                "always_the_same": 0.5,
                "self_doubt": round(min(1.0, max(0.0, rng.gauss(0.55 if wrong else 0.4, 0.2))), 3),
            },
        }
        if number % 15 == 7:
            line["label"] = "no_match"
        if number % 9 == 4:
            del line["signals"]["popularity"]
        lines.append(line)
    return lines


def invalid(rng: random.Random) -> list[dict[str, Any]]:
    """24 questions whose draws are refused, cut, empty, repeated, or lost in their thinking; no labels."""
    lines: list[dict[str, Any]] = []
    for number in range(24):
        places = rng.sample(PLACES, 4)
        texts = [answer(rng, places) for _ in range(4)]
        if number % 4 == 1:
            texts[1] = ""
        if number % 6 == 2:
            texts[0] = texts[2] = texts[3] = "I'm sorry, but I cannot answer that question."
        if number % 8 == 3:
            texts[3] = "<think>They may mean another place, or none of them"
        if number % 3 == 0:
            texts[2] = texts[0]
        reasons = ["length" if rng.random() < 0.2 else "stop" for _ in texts]
        lines.append(
            {
                "id": f"i{number}",
                "question": f"What is found between {places[0]}, {places[1]}, {places[2]} and {places[3]}?",
                "answers": [texts[0] or "nothing"] if number % 5 else ["a lighthouse"],
                "incorrect_answers": [answer(rng, rng.sample(PLACES, 4))],
                "greedy": {"text": texts[0], "finish_reason": reasons[0]},
                "samples": [
                    {"text": text, "finish_reason": reason} for text, reason in zip(texts[1:], reasons[1:], strict=True)
                ],
            }
        )
    return lines


def write(name: str, lines: list[dict[str, Any]], decoding: Mapping[str, Any], **header: Any) -> None:
    first = {"format": "homogaudit.recorded", "version": 1, "model": f"invented-{name}", "decoding": decoding}
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in (first | header, *lines))
    (FOLDER / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write("sampled", sampled(random.Random(11)), {"samples": {"temperature": 1.0, "max_tokens": 40}})
    write("greedy", greedy_only(random.Random(12)), {}, directions={"density": -1, "popularity": -1})
    write("invalid", invalid(random.Random(13)), {"samples": {"temperature": 0.7, "max_tokens": 40}})
