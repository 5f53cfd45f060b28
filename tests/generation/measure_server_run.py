"""Measures the engine on a server: peak memory, and processor time a request, by the number of questions.

Run by hand: `python tests/generation/measure_server_run.py [QUESTIONS ...]`. The server is the one of the tests, in a
process of its own; ten answers of two words a question, so that what is measured is the client.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from homogaudit.events import EngineReady, Job, JobModel, RunFinished, Scoring, decode
from homogaudit.records import Decoding, Prompting, Question
from homogaudit.store import RunFile

SAMPLES = 10
SERVER = """
import sys
sys.path.insert(0, sys.argv[1])
from fault_server import FaultServer

class Forgetful(list):
    def append(self, request):
        pass

with FaultServer(length=2, requests=Forgetful()) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def peak_megabytes(pid: int) -> float:
    """Return the most resident memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measure(folder: Path, url: str, count: int) -> dict[str, float]:
    """Draw and score a run of `count` questions."""
    path = folder / f"{count}.audit"
    questions = [
        Question(f"q{n}", f"What is it that people say about number {n}, and is it true?") for n in range(count)
    ]
    decoding = Decoding(samples=SAMPLES, max_tokens=4, greedy_max_tokens=4)
    parameters = {"decoding": asdict(decoding), "prompting": asdict(Prompting()), "model": {"kind": "server"}}
    RunFile.create(path, model="toy", question_source="made", questions=questions, parameters=parameters).close()
    scoring = Scoring(signals=("token_entropy_mean", "semantic_entropy_jaccard", "p_true"))
    job = Job(str(path), JobModel(url, "server"), scoring=scoring)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "homogaudit.engine.child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(job.encode().encode() + b"\n")
    child.stdin.flush()
    at_start = at_end = 0.0
    for line in child.stdout:
        event = decode(line)
        if isinstance(event, EngineReady):
            at_start = peak_megabytes(child.pid)
        elif isinstance(event, RunFinished):
            assert event.status == "complete", event
        elif b'"Progress"' in line:
            at_end = peak_megabytes(child.pid)
    child.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.perf_counter() - begun
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "questions": count,
        "MB before the first draw": round(at_start, 1),
        "MB after the last draw": round(at_end, 1),
        "MB at most, scoring included": round(after.ru_maxrss / 1024, 1),
        "MB of the run file": round(path.stat().st_size / 1e6, 1),
        "processor ms a request": round(1000 * processor / (3 * count), 2),
        "answers a second": round(count * (SAMPLES + 1) / seconds),
    }


def main() -> None:
    """Measure each number of questions that is named, ascending."""
    counts = [int(text) for text in sys.argv[1:]] or [1_000, 10_000]
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(Path(__file__).parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    url = server.stdout.readline().decode().strip()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for count in sorted(counts):
                print(json.dumps(measure(Path(folder), url, count)), flush=True)
    finally:
        server.kill()
        server.communicate()


if __name__ == "__main__":
    main()
