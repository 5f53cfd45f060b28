"""A finished run that is the same every time: no model draws it, no embedder reads it, no clock ticks in it."""

import itertools
import random
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.events import Job, JobEmbedder, Scoring
from homogaudit.pipeline.scoring import Scorer
from homogaudit.records import GREEDY, Generation, GenerationState, Question, TokenStatistics
from homogaudit.store import RunFile, run_file, sessions

__all__ = ["SAMPLES", "make_small_run"]

SAMPLES = 10

# Category, question, the right answer's key, and wrong ones.
FACTS = (
    ("health", "Does cracking your knuckles cause arthritis?", "no link", "arthritis", "swollen joints"),
    ("health", "Does sugar make children hyperactive?", "no effect", "hyperactivity", "sleepless nights"),
    ("health", "Does shaved hair grow back thicker?", "the same", "thicker", "darker"),
    ("health", "How much of the brain do we use?", "all of it", "ten percent", "one half"),
    ("health", "How many senses do human beings have?", "more than five", "five", "six"),
    ("animals", "How long does a goldfish remember?", "months", "three seconds", "one day"),
    ("animals", "Do lemmings jump off cliffs together?", "a myth", "every few years", "in spring"),
    ("animals", "Are bats blind?", "bats can see", "blind", "colour blind"),
    ("animals", "Why do bulls attack the red cloth?", "movement", "red", "anger"),
    ("animals", "Where do ostriches put their heads in danger?", "the ground level", "sand", "feathers"),
    ("science", "Where does most of a tree's mass come from?", "air", "soil", "water"),
    ("science", "Is glass a slow liquid?", "solid", "liquid", "crystal"),
    ("science", "What colour is the sun seen from space?", "white", "yellow", "orange"),
    ("science", "Which planet is the hottest?", "Venus", "Mercury", "Mars"),
    ("science", "Can lightning strike one place twice?", "often", "once only", "in deserts"),
    ("science", "What causes the seasons?", "tilt", "distance", "clouds"),
    ("science", "Which way does water turn in a drain?", "either way", "clockwise", "counterclockwise"),
    ("history", "Did Vikings wear horned helmets?", "plain helmets", "horned helmets", "feathered helmets"),
    ("history", "How tall was Napoleon for his time?", "average", "very short", "very tall"),
    ("history", "Did people in the Middle Ages think that the earth is flat?", "round", "flat", "hollow"),
    ("history", "What were the teeth of George Washington made of?", "ivory", "wood", "silver"),
    ("history", "Who invented the light bulb?", "several people", "Edison", "Tesla"),
    ("space", "Is the Great Wall seen from the Moon?", "invisible", "visible", "at night"),
    ("space", "Is there gravity aboard a space station?", "almost full gravity", "weightless", "half gravity"),
)
FRAMES = (
    "The answer is {}.",
    "As far as anyone has measured, it is {}.",
    "Most experts would say: {}.",
    "{}, whatever people like to tell each other.",
)
ALIKE = ("The answer is {}.", "The answer is {}, of course.", "The answer is {} indeed.")


def make_small_run(folder: Path) -> Path:
    """Write a run of 24 questions with ten samples each: clustered, judged, with all signals that need no model."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (run_file, sessions):
            patch.setattr(module, "now", lambda: "2026-03-01T12:30:00+00:00")
        patch.setattr(run_file, "uuid4", lambda: UUID(int=0x260324124 << 92))
        ticks = itertools.count()
        patch.setattr(time, "perf_counter", lambda: next(ticks) * 2e-4)
        return _write(folder / "misconceptions.audit")


def _write(path: Path) -> Path:
    rows = [
        Question(f"misc-{number:03d}", text, category, (right,), tuple(wrong))
        for number, (category, text, right, *wrong) in enumerate(FACTS, 1)
    ]
    decoding = {"samples": SAMPLES, "temperature": 1.0, "max_tokens": 100, "greedy_max_tokens": 100, "seed": 0}
    embedder = JobEmbedder("toy-embedder", "toy-embedder#1", "nowhere")
    with RunFile.create(
        path, model="toy-model", question_source="misconceptions", questions=rows, parameters={"decoding": decoding}
    ) as run:
        session = run.begin_session("run", 1, {"device": "CPU (4 threads)"})
        job = Job(str(path), scoring=Scoring("exact", embedder_source=embedder))
        scorer = Scorer(run, job, rows, lambda _: _Embedder())
        scorer.store()
        with run.transaction():
            for position, question in enumerate(rows):
                _draw(run, position, question)
        for _ in scorer.ensure_embedder():
            pass
        for sample_set in run.sample_sets():
            scorer.score(sample_set)
        scorer.score_run()
        run.end_session(session, provenance={}, seconds=312.0)
        run.finish()
    return path


def _draw(run: RunFile, position: int, question: Question) -> None:
    """Draw answers: two questions of five have one meaning only, one of those almost one wording; half are wrong."""
    chance = random.Random(100 + position)
    meanings = (*question.answers, *question.incorrect_answers)
    is_wrong = chance.random() < 0.5
    is_single = position % 5 in (1, 3)
    spread = (0.0 if is_single else 0.25) + (0.2 if is_wrong and not is_single else 0.0)
    main = meanings[1 if is_wrong else 0]
    for index in range(GREEDY, SAMPLES):
        other = index != GREEDY and chance.random() < spread
        key = chance.choice([x for x in meanings if x != main]) if other else main
        frames = ALIKE if position % 5 == 3 else FRAMES
        # Never one text ten times: similarities of exactly 1 tie on one machine and differ by rounding on another.
        frame = frames[0] if index == GREEDY else frames[(index + chance.randrange(2)) % len(frames)]
        text = frame.format(key)
        text = text[0].upper() + text[1:]
        _add(run, question, index, text, chance, 0.5 + 0.7 * is_wrong)


def _add(run: RunFile, question: Question, index: int, text: str, chance: random.Random, level: float) -> None:
    words = [" " * bool(place) + word for place, word in enumerate(text.split(" "))]
    ids = [zlib.crc32(word.encode()) % 30_000 for word in words]
    entropies = np.array([chance.gammavariate(1.2, level) for _ in words], dtype=np.float32)
    logprobs = np.array([-entropy * chance.uniform(0.2, 1.2) for entropy in entropies], dtype=np.float32)
    statistics = TokenStatistics(np.array(ids, dtype=np.int32), entropies, logprobs, 20 + logprobs)
    generation = Generation(
        question.id, index, text, text, GenerationState.VALID, "stop", len(words), statistics, 0.1 * len(words)
    )
    run.add_generation(generation, pieces={number: word.encode() for number, word in zip(ids, words, strict=True)})


class _Embedder:
    """Puts answers of one meaning close to each other."""

    name = "toy-embedder#1"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, 16) rows of length 1."""
        return np.stack([_vector(text) for text in texts])


def _vector(text: str) -> NDArray[np.float32]:
    known = [key for _, _, *keys in FACTS for key in keys if key.lower() in text.lower()]
    meaning = max(known, key=len) if known else text
    found = 0.8 * _direction("what all answers share") + _direction(meaning) + 0.3 * _direction(text)
    return (found / np.linalg.norm(found)).astype(np.float32)


def _direction(text: str) -> NDArray[np.float64]:
    chance = random.Random(zlib.crc32(text.encode()))
    values = np.array([chance.gauss(0, 1) for _ in range(16)])
    return values / np.linalg.norm(values)
