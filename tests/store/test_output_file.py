"""Files that are there already stay, unless they are to go; a failed write leaves the old one."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from homogaudit.errors import StorageError, UsageError
from homogaudit.store import RunFile
from homogaudit.store.output_file import check_output, replacing, write_text

from ..patience import PATIENCE


def test_a_file_that_is_there_goes_only_when_asked(tmp_path: Path):
    file = tmp_path / "mine.txt"
    check_output(file, replace=False)
    write_text(file, "one\ntwo é")
    assert file.read_bytes() == b"one\ntwo \xc3\xa9"
    with pytest.raises(UsageError, match="exists"):
        check_output(file, replace=False)
    check_output(file, replace=True)


def test_runs_folders_and_missing_folders_are_refused_even_where_files_may_go(
    tmp_path: Path, make_run: Callable[..., RunFile]
):
    make_run().close()
    for path, error in (("test.audit", "is a run file"), (".", "is a folder")):
        with pytest.raises(UsageError, match=error):
            check_output(tmp_path / path, replace=True)
    with pytest.raises(StorageError, match="there is no folder"):
        check_output(tmp_path / "absent" / "x", replace=True)


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path: Path):
    file = tmp_path / "mine.txt"
    file.write_text("old")
    with pytest.raises(ValueError, match="half way"), replacing(file) as draft:
        draft.write_text("new")
        raise ValueError("half way")
    assert (file.read_text(), os.listdir(tmp_path)) == ("old", ["mine.txt"])


def test_an_error_of_the_disk_names_the_file(tmp_path: Path):
    with pytest.raises(StorageError, match=r"cannot write `.*/x`: no space left on device"), replacing(tmp_path / "x"):
        raise OSError(28, "No space left on device")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_written_itself(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_output(pipe, replace=False)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "through")
    reader.join(PATIENCE)
    assert (read, pipe.is_fifo()) == (["through"], True)
