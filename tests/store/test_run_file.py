"""The run file under concurrency, kills, damage and a full disk."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homogaudit.errors import ParametersDifferError, RunFileError, StorageError
from homogaudit.generation.fingerprint import model_fingerprint
from homogaudit.launch.run_summary import summarize
from homogaudit.records import (
    GREEDY,
    Clustering,
    ClusteringMethod,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    ModelCall,
    Question,
    ResourceCost,
    SignalValue,
    TokenStatistics,
    questions_digest,
)
from homogaudit.store.draws import DrawCount
from homogaudit.store.file_system import refuse_network_file_system
from homogaudit.store.run_file import RunFile
from homogaudit.store.run_lock import RunLock, lock_owner
from homogaudit.store.run_schema import SCHEMA_VERSION, schema_version
from homogaudit.store.salvage import salvage

QUESTIONS = [
    Question("a", "What is A?", "letters", ("A",), ("B",), ("A passage.",), {"source": {"page": 3}}),
    Question("b", "What is B?"),
]


def create(path: Path, **parameters: Any) -> RunFile:
    return RunFile.create(path, model="m", question_source="q.jsonl", questions=QUESTIONS, parameters=parameters)


def draw(question_id: str = "a", sample_index: int = 0, text: str = "An answer.") -> Generation:
    return Generation(question_id, sample_index, text, text, GenerationState.VALID, "stop", 3)


def run_python(source: str, *arguments: object) -> subprocess.Popen[str]:
    """Start another process on `source`; its arguments are in `sys.argv[1:]`."""
    return subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.audit"


@pytest.fixture
def unwritable_folder() -> Iterator[Path]:
    """A folder that this process cannot write, with its rights as root put aside."""
    if not hasattr(os, "geteuid"):
        pytest.skip("no user ids on this platform")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with create(folder / "run.audit") as run:
            run.add_generation(draw())
        # A writer that was killed, whose log was not copied: the header still says that there is one.
        with sqlite3.connect(folder / "run.audit") as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        folder.chmod(0o555)
        (folder / "run.audit").chmod(0o444)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o755)


# What goes in comes out


def test_questions_come_back_in_their_order_with_all_their_parts(path: Path):
    with create(path) as run:
        assert run.questions() == QUESTIONS
        assert len(run) == 2


def test_a_generation_comes_back_with_its_arrays(path: Path):
    statistics = TokenStatistics(
        np.array([5, 7], np.int32),
        np.array([0.25, 1.5], np.float32),
        np.array([-0.5, -1], np.float32),
        None,
        np.array([False, True]),
    )
    greedy = Generation("b", GREEDY, "<think></think> B", "B", GenerationState.VALID, "length", 2, statistics, 0.5)
    with create(path) as run:
        run.add_generation(draw("b", 1))
        run.add_generation(greedy)
        run.add_generation(draw("b", 0))
        first, second = run.sample_sets()
        assert first.greedy is None
        assert not first.samples
        assert [sample.sample_index for sample in second.samples] == [0, 1]
        stored = second.greedy
        assert stored is not None
        assert (stored.text, stored.answer, stored.finish_reason, stored.seconds) == (
            "<think></think> B",
            "B",
            "length",
            0.5,
        )
        assert stored.statistics.token_ids is not None
        assert stored.statistics.token_ids.tolist() == [5, 7]
        assert stored.statistics.of_answer(stored.statistics.entropies).tolist() == [1.5]  # type: ignore[union-attr]
        assert stored.statistics.logits is None
        assert run.draw_counts() == {"a": DrawCount(0, False), "b": DrawCount(2, True)}
        run.drop_token_arrays("b")
        assert next(run.sample_sets(["b"])).greedy.statistics.entropies is None  # type: ignore[union-attr]


def test_a_draw_is_stored_exactly_once(path: Path):
    with create(path) as run:
        run.add_generation(draw(text="first"))
        with pytest.raises(sqlite3.IntegrityError):
            run.add_generation(draw(text="second"))
        run.add_generation(draw(sample_index=1))
        assert run.generation_keys() == {("a", 0), ("a", 1)}
        assert next(run.sample_sets()).samples[0].text == "first"


def test_a_failed_transaction_leaves_nothing_and_the_next_one_works(path: Path):
    with create(path) as run:
        with pytest.raises(sqlite3.IntegrityError), run.transaction():
            run.add_generation(draw(sample_index=1))
            run.add_generation(draw(sample_index=1))
        run.add_generation(draw(sample_index=2))
    with RunFile.open(path) as run:
        assert run.generation_keys() == {("a", 2)}


def test_derived_facts_come_back_and_new_ones_replace_the_old(path: Path):
    method = ClusteringMethod("jaccard", "single", 0.4)
    with create(path) as run:
        run.add_clusterings([Clustering("a", method, (0, 1, 0))])
        run.add_labels([Label("a", "overlap", LabelValue.CORRECT, "because"), Label("b", "exact", LabelValue.NO_MATCH)])
        run.add_labels([Label("a", "overlap", LabelValue.INCORRECT)])
        run.add_signals([SignalValue("a", "perplexity", 2.0), SignalValue("b", "perplexity", None, "no tokens")])
        assert run.clustering_methods() == [method]
        assert run.clusterings(method)["a"].assignment == (0, 1, 0)
        assert run.judges() == ["exact", "overlap"]
        assert run.labels("overlap")["a"].value is LabelValue.INCORRECT
        assert run.signals()["perplexity"]["b"].reason == "no tokens"
        assert run.signal_names() == ["perplexity"]


def test_embeddings_come_back_as_unit_vectors(path: Path):
    with create(path) as run:
        run.add_embeddings("e", {"one": np.array([3, 4], np.float32)})
        # 3-4-5 triangle; float16 holds 3 and 4 exactly.
        np.testing.assert_allclose(run.embeddings("e", ["one", "two"])["one"], [0.6, 0.8], rtol=1e-6)
        assert not run.embeddings("other", ["one"])


def test_a_finished_run_is_one_file_with_its_log_folded_back(path: Path):
    with create(path) as run:
        run.add_generation(draw())
        run.finish()
    assert [entry.name for entry in path.parent.iterdir()] == ["run.audit"]
    # Bytes 18 and 19 of a SQLite file are 1 without and 2 with a write-ahead log (sqlite.org/fileformat.html).
    assert path.read_bytes()[18:20] == b"\x01\x01"
    with RunFile.open(path) as run:
        assert run.status == "complete"


# Resume


def test_other_parameters_are_refused_and_each_difference_is_named(path: Path):
    with create(path, decoding={"temperature": 1.0, "seed": 0}, model={"sha256": "ab"}) as run:
        run.require_parameters({"decoding": {"temperature": 1, "seed": 0}, "model": {"sha256": "ab"}})
        with pytest.raises(ParametersDifferError) as error:
            run.require_parameters({"decoding": {"temperature": 0.3, "seed": 0}, "model": {"sha256": "cd"}})
    assert "`decoding.temperature` was 1.0, is 0.3" in error.value.message
    assert '`model.sha256` was "ab", is "cd"' in error.value.message
    assert "seed" not in error.value.message


def test_other_questions_and_another_model_file_are_refused_in_words(path: Path, tmp_path: Path):
    def parameters(text: str) -> dict[str, Any]:
        model = tmp_path / "m.gguf"
        model.write_text(text)
        digest = questions_digest([Question("q", text)])
        return {
            "questions": {"count": 1, "sha256": digest},
            "model": {"kind": "gguf", "fingerprint": model_fingerprint(model)},
        }

    with create(path, **parameters("Who?")) as run, pytest.raises(ParametersDifferError) as error:
        run.require_parameters(parameters("Where?"))
    assert error.value.message.endswith("other parameters: its model file was another; its questions were others")


def test_a_run_is_never_created_over_another(path: Path):
    create(path).close()
    before = path.read_bytes()
    with pytest.raises(RunFileError, match="exists"):
        create(path)
    assert path.read_bytes() == before


def test_a_run_that_appears_while_another_is_created_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch):
    create(path).close()
    before = path.read_bytes()
    monkeypatch.setattr(Path, "exists", lambda self: False)
    with pytest.raises(RunFileError, match="exists"):
        create(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["run.audit"]


# Files that are not what they should be


def test_a_missing_file_is_named(path: Path):
    with pytest.raises(RunFileError, match="no run file at"):
        RunFile.open(path)


def test_a_foreign_sqlite_file_is_refused(path: Path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE questions (position, id)")
    connection.close()
    with pytest.raises(RunFileError, match="not a run file"):
        RunFile.open(path, writable=True)
    assert schema_version(path) is None


@pytest.mark.parametrize("content", [b"", b"GGUF" + bytes(2000), b"SQLite format 3\0" + bytes(20)])
def test_a_file_of_another_kind_is_refused(path: Path, content: bytes):
    path.write_bytes(content)
    with pytest.raises(RunFileError, match="not a run file"):
        RunFile.open(path)
    assert schema_version(path) is None


def test_a_newer_schema_is_refused_with_its_number(path: Path):
    create(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert schema_version(path) == 99
    with pytest.raises(RunFileError, match="schema 99"):
        RunFile.open(path)


@pytest.mark.parametrize("table", ["questions", "meta", "sessions", "labels"])
@pytest.mark.parametrize("has_log", [False, True])
def test_a_table_that_is_a_view_without_an_end_is_never_read(path: Path, table: str, has_log: bool):
    create(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        numbers = ", ".join(f"n AS {name}" for name in columns)
        connection.executescript(
            f"DROP TABLE {table}; CREATE VIEW {table} AS "
            f"WITH RECURSIVE endless(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM endless) SELECT {numbers} FROM endless"
        )
    if has_log:
        path.with_name(path.name + "-wal").write_bytes(b"\0" * 32)
    for read in (
        RunFile.open,
        lambda x: RunFile.open(x, writable=True),
        lambda x: salvage(x, x.with_name("out.audit")),
    ):
        with pytest.raises(RunFileError, match=f"holds the view `{table}`"):
            read(path)
    assert summarize(path).status == "not_readable"


def test_a_run_file_runs_no_trigger(path: Path):
    create(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TRIGGER more AFTER INSERT ON meta BEGIN DELETE FROM questions; END")
    with pytest.raises(RunFileError, match="holds the trigger `more`"):
        RunFile.open(path, writable=True)


def test_a_damaged_file_is_one_clear_error(path: Path):
    with create(path) as run, run.transaction():
        for index in range(200):
            run.add_generation(draw(sample_index=index, text="word " * 200))
    content = bytearray(path.read_bytes())
    # All pages behind the schema's, so that the file opens and its rows are garbage.
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(RunFileError, match="damaged"):
        with RunFile.open(path) as run:
            list(run.sample_sets())


def test_a_run_cut_short_is_one_clear_error(path: Path):
    with create(path) as run, run.transaction():
        for index in range(200):
            run.add_generation(draw(sample_index=index, text="word " * 200))
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)
    with pytest.raises(RunFileError, match="damaged"):
        with RunFile.open(path) as run:
            list(run.sample_sets())


# Places that cannot be written


def test_a_folder_that_is_a_file_is_one_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        create(tmp_path / "file" / "run.audit")


def test_a_folder_that_cannot_be_written_is_one_clear_error(unwritable_folder: Path):
    with pytest.raises(StorageError, match="cannot use"):
        create(unwritable_folder / "new.audit")
    with pytest.raises(StorageError, match="cannot lock"), RunLock(unwritable_folder / "new.audit"):
        pass
    with pytest.raises(StorageError, match="readonly"):
        RunFile.open(unwritable_folder / "run.audit", writable=True)


def test_a_run_left_by_a_kill_is_read_in_a_folder_that_cannot_be_written(unwritable_folder: Path):
    with RunFile.open(unwritable_folder / "run.audit") as run:
        assert run.generation_keys() == {("a", 0)}


def test_a_reader_cannot_write(path: Path):
    create(path).close()
    with RunFile.open(path) as run, pytest.raises(StorageError, match="readonly"):
        run.add_generation(draw())


def test_network_file_systems_are_refused(tmp_path: Path):
    mounts = tmp_path / "mounts"
    share = tmp_path / "my share"
    (share / "local").mkdir(parents=True)
    escaped = str(share).replace(" ", r"\040")
    lines = [
        "overlay / overlay rw 0 0",
        f"server:/x {escaped} nfs4 rw 0 0",
        f"/dev/sda {escaped}/local ext4 rw 0 0",
    ]
    mounts.write_text("\n".join(lines))
    with pytest.raises(RunFileError, match="nfs4"):
        refuse_network_file_system(share / "run.audit", mounts)
    refuse_network_file_system(share / "local" / "run.audit", mounts)
    refuse_network_file_system(tmp_path / "run.audit", mounts)
    refuse_network_file_system(share / "run.audit", tmp_path / "absent")


# A full disk


def test_a_full_disk_loses_nothing_that_was_stored_and_writing_goes_on_when_there_is_space(path: Path):
    run = create(path)
    run.add_generation(draw(sample_index=0))
    (pages,) = run._connection.execute("PRAGMA page_count").fetchone()
    run._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="no space left") as error:
        run.add_generation(draw(sample_index=1, text="word " * 10_000))
    assert "kept" in (error.value.hint or "")
    run._connection.execute("PRAGMA max_page_count = 1000000")
    run.add_generation(draw(sample_index=2))
    run.close()
    with RunFile.open(path) as run:
        assert run.generation_keys() == {("a", 0), ("a", 2)}


WRITE_UNTIL_FULL = """
import resource, sys
from pathlib import Path
from homogaudit.errors import StorageError
from homogaudit.records import Generation, GenerationState
from homogaudit.store.run_file import RunFile

run = RunFile.open(Path(sys.argv[1]), writable=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
stored = failed = 0
for index in range(100):
    try:
        run.add_generation(Generation("a", index, "x" * 10_000, "x", GenerationState.VALID))
        stored += 1
    except StorageError:
        failed += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
# After a failed commit nothing may be open that would swallow this one.
run.add_generation(Generation("b", 0, "x", "x", GenerationState.VALID))
run.close()
print(stored, failed)
"""


def test_a_file_that_may_not_grow_keeps_every_draw_that_was_stored(path: Path):
    pytest.importorskip("resource", reason="no resource limits on this platform")
    create(path).close()
    out, err = run_python(WRITE_UNTIL_FULL, path).communicate()
    assert not err
    stored, failed = map(int, out.split())
    assert 0 < stored < 100
    assert stored + failed == 100
    with RunFile.open(path) as run:
        assert run.draw_counts() == {"a": DrawCount(stored, False), "b": DrawCount(1, False)}


# Other processes

WRITE_AND_TELL = """
import itertools, sys
from pathlib import Path
from homogaudit.records import Generation, GenerationState
from homogaudit.store.run_file import RunFile
from homogaudit.store.run_lock import RunLock

path = Path(sys.argv[1])
with RunLock(path), RunFile.open(path, writable=True) as run:
    for index in itertools.count():
        run.add_generation(Generation("a", index, "text", "text", GenerationState.VALID))
        print(index, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_stored(path: Path):
    create(path).close()
    writer = run_python(WRITE_AND_TELL, path)
    assert writer.stdout is not None
    for _ in range(25):
        writer.stdout.readline()
    assert lock_owner(path) == writer.pid
    writer.kill()
    rest = writer.stdout.read().split()
    writer.communicate()
    told = 25 + len(rest)
    assert lock_owner(path) is None
    # The lock is free although its file is still there, and a reader sees all before anyone repairs anything.
    assert path.with_name("run.audit.lock").exists()
    with RunFile.open(path) as run:
        stored = run.draw_counts()["a"].samples
    assert told <= stored <= told + 1
    with RunLock(path), RunFile.open(path, writable=True) as run:
        run.add_generation(draw(sample_index=stored))
    assert [entry.name for entry in path.parent.iterdir()] == ["run.audit"]
    with RunFile.open(path) as run:
        assert run.generation_keys() == {("a", index) for index in range(stored + 1)}


def test_a_reader_in_another_process_sees_what_is_stored_while_the_writer_goes_on(path: Path):
    source = """
import sys
from pathlib import Path
from homogaudit.store.run_file import RunFile
with RunFile.open(Path(sys.argv[1])) as run:
    for line in sys.stdin:
        print(run.draw_counts()["a"].samples, flush=True)
"""
    with create(path) as run:
        reader = run_python(source, path)
        assert reader.stdin is not None
        assert reader.stdout is not None
        for index in range(3):
            run.add_generation(draw(sample_index=index))
            reader.stdin.write("\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == f"{index + 1}\n"
        out, err = reader.communicate()
        assert (out, err) == ("", "")


def test_a_second_writer_is_told_who_writes(path: Path):
    source = """
import sys
from pathlib import Path
from homogaudit.errors import RunFileError
from homogaudit.store.run_lock import RunLock
try:
    with RunLock(Path(sys.argv[1])):
        print("locked")
except RunFileError as error:
    print(error.message)
"""
    with RunLock(path):
        assert lock_owner(path) == os.getpid()
        out, _ = run_python(source, path).communicate()
        assert out == f"`{path}` is in use by process {os.getpid()}\n"
    assert lock_owner(path) is None
    out, _ = run_python(source, path).communicate()
    assert out == "locked\n"
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("content", ["", "nobody", "-1", str(2**31 - 1), "9" * 30])
def test_a_lock_file_that_nobody_holds_has_no_owner(path: Path, content: str):
    path.with_name("run.audit.lock").write_text(content)
    assert lock_owner(path) is None
    with RunLock(path):
        assert lock_owner(path) == os.getpid()


def test_sessions_tell_what_worked_on_the_run(path: Path):
    with create(path) as run:
        number = run.begin_session("generate", 42, {"version": "1"})
        run.add_generation(draw(), number, 1.5)
        (session,) = run.sessions()
        assert (session.ended, session.generations, session.seconds) == (None, 1, 1.5)
        run.end_session(number, provenance={"version": "2"}, seconds=2.5)
        (session,) = run.sessions()
        assert (session.kind, session.pid, session.provenance, session.seconds, session.generations) == (
            "generate",
            42,
            {"version": "2"},
            2.5,
            1,
        )
        assert session.ended is not None


def test_a_run_of_the_first_schema_is_read_and_gains_the_new_tables_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "old.audit"
    with RunFile.create(path, model="m", question_source="s", questions=[Question("q0", "Why?")], parameters={}):
        pass
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "DROP TABLE calls; DROP TABLE costs; DROP TABLE token_pieces; DROP TABLE pair_scores; "
            "DROP TABLE diversity; DROP TABLE first_looks; "
            "ALTER TABLE questions DROP COLUMN context; ALTER TABLE questions DROP COLUMN system; "
            "ALTER TABLE questions DROP COLUMN choices; "
            "PRAGMA user_version = 1;"
        )
    with RunFile.open(path) as old:
        assert (old.calls(), old.costs(), old.token_pieces(), old.diversity()) == ({}, [], {}, {})
        assert old.pair_scores("nli", [("a", "b")]) == {}
    call = ModelCall("q0", "p_true", 0.25, tokens=12, seconds=0.5)
    cost = ResourceCost("q0", "samples", 1.5, 40)
    with RunFile.open(path, writable=True) as run:
        run.add_calls([call])
        run.add_costs([cost])
    assert schema_version(path) == SCHEMA_VERSION
    with RunFile.open(path) as new:
        assert (new.calls(), new.costs()) == ({"q0": {"p_true": call}}, [cost])


TABLES_OF_0_1_0 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE questions (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, category TEXT,
    answers TEXT NOT NULL, incorrect_answers TEXT NOT NULL, passages TEXT NOT NULL, extra TEXT NOT NULL
);
CREATE TABLE generations (
    position INTEGER NOT NULL REFERENCES questions, sample_index INTEGER NOT NULL,
    text TEXT NOT NULL, answer TEXT NOT NULL, state TEXT NOT NULL, finish_reason TEXT, tokens INTEGER,
    seconds REAL, token_ids BLOB, entropies BLOB, logprobs BLOB, logits BLOB, answer_mask BLOB,
    PRIMARY KEY (position, sample_index)
);
CREATE TABLE embeddings (
    embedder TEXT NOT NULL, text_hash BLOB NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (embedder, text_hash)
) WITHOUT ROWID;
CREATE TABLE clusterings (
    position INTEGER NOT NULL REFERENCES questions, key TEXT NOT NULL, similarity TEXT NOT NULL,
    linkage TEXT NOT NULL, threshold REAL, embedder TEXT, assignment TEXT NOT NULL, PRIMARY KEY (position, key)
) WITHOUT ROWID;
CREATE TABLE labels (
    position INTEGER NOT NULL REFERENCES questions, judge TEXT NOT NULL, value TEXT NOT NULL,
    reason TEXT NOT NULL, PRIMARY KEY (position, judge)
) WITHOUT ROWID;
CREATE TABLE signals (
    position INTEGER NOT NULL REFERENCES questions, signal TEXT NOT NULL, value REAL, reason TEXT NOT NULL,
    seconds REAL NOT NULL, PRIMARY KEY (position, signal)
) WITHOUT ROWID;
CREATE TABLE scorings (
    position INTEGER NOT NULL REFERENCES questions, scoring TEXT NOT NULL, PRIMARY KEY (position, scoring)
) WITHOUT ROWID;
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, pid INTEGER NOT NULL,
    provenance TEXT NOT NULL, seconds REAL, generations INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE calls (
    position INTEGER NOT NULL REFERENCES questions, kind TEXT NOT NULL, value REAL, reason TEXT NOT NULL,
    text TEXT NOT NULL, tokens INTEGER NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (position, kind)
) WITHOUT ROWID;
CREATE TABLE costs (
    position INTEGER NOT NULL REFERENCES questions, resource TEXT NOT NULL, seconds REAL NOT NULL,
    tokens INTEGER NOT NULL, PRIMARY KEY (position, resource)
) WITHOUT ROWID;
CREATE TABLE token_pieces (id INTEGER PRIMARY KEY, piece BLOB NOT NULL);
CREATE TABLE pair_scores (
    model TEXT NOT NULL, premise_hash BLOB NOT NULL, hypothesis_hash BLOB NOT NULL, scores BLOB NOT NULL,
    PRIMARY KEY (model, premise_hash, hypothesis_hash)
) WITHOUT ROWID;
"""
"""As the release wrote them: what such a file holds must not depend on what the code says today."""


def test_a_run_of_0_1_0_is_read_and_gains_context_system_line_and_choices_when_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "old.audit"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            f"PRAGMA application_id = {0x484F4D41}; PRAGMA user_version = 2; BEGIN; {TABLES_OF_0_1_0}"
            """INSERT INTO meta VALUES ('status', '"started"'), ('parameters', '{"decoding": {"samples": 2}}');"""
            """INSERT INTO questions VALUES (0, 'a', 'What is A?', 'letters', '["A"]', '["B"]', '["P."]', """
            """'{"x": 1}');"""
            "INSERT INTO generations (position, sample_index, text, answer, state) "
            "VALUES (0, 0, 'It.', 'It.', 'valid');"
            "COMMIT;"
        )
    question = Question("a", "What is A?", "letters", ("A",), ("B",), ("P.",), {"x": 1}, None, None, ())
    with RunFile.open(path) as old:
        assert old.questions() == [question]
        assert next(old.sample_sets()).samples[0].answer == "It."
    assert schema_version(path) == 2
    with RunFile.open(path, writable=True) as run:
        run.add_generation(draw("a", 1))
    assert schema_version(path) == SCHEMA_VERSION
    with RunFile.open(path) as new:
        assert new.questions() == [question]
        assert new.generation_keys() == {("a", 0), ("a", 1)}


def test_labels_of_0_1_0_are_those_of_the_greedy_answers_and_samples_get_theirs(tmp_path: Path) -> None:
    path = tmp_path / "old.audit"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            f"PRAGMA application_id = {0x484F4D41}; PRAGMA user_version = 2; BEGIN; {TABLES_OF_0_1_0}"
            "INSERT INTO meta VALUES ('status', '\"started\"'), ('parameters', '{}');"
            "INSERT INTO questions VALUES (0, 'a', 'What is A?', NULL, '[]', '[]', '[]', '{}');"
            "INSERT INTO labels VALUES (0, 'exact', 'correct', 'holds A'), (0, 'recorded', 'incorrect', '');"
            "COMMIT;"
        )
    greedy = Label("a", "exact", LabelValue.CORRECT, "holds A")
    with RunFile.open(path) as old:
        assert old.judges() == ["exact", "recorded"]
        assert (old.labels("exact"), old.sample_labels("exact")) == ({"a": greedy}, {})
        assert [x.label for x in old.overviews(method=None, judge="exact", signal="x")] == [LabelValue.CORRECT]
    sample = Label("a", "exact", LabelValue.INCORRECT, "holds none", 4)
    with RunFile.open(path, writable=True) as run:
        run.add_labels([sample, Label("a", "numeric", LabelValue.NO_MATCH, "", 4)])
    with RunFile.open(path) as new:
        assert new.labels("exact") == {"a": greedy}
        assert new.sample_labels("exact") == {"a": {4: sample}}
        assert new.sample_labels("exact", "a") == {"a": {4: sample}}
        # A judge of samples alone is none that a report could go by.
        assert new.judges() == ["exact", "recorded"]
        assert [x.label for x in new.overviews(method=None, judge="exact", signal="x")] == [LabelValue.CORRECT]


def test_context_system_line_and_choices_of_a_question_are_kept(tmp_path: Path) -> None:
    question = Question("a", "Who?", context="Tom was late.", system="Be short.", choices=("Tom", "Ann"))
    with RunFile.create(
        tmp_path / "x.audit", model="m", question_source="s", questions=[question], parameters={}
    ) as run:
        assert run.questions() == [question]
        assert next(run.sample_sets()).question == question
