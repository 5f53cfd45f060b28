"""The lock beside a run file: what it does where the file of its name is not one of ours, or the disk is full."""

import errno
import os
from pathlib import Path

import pytest

from homogaudit.errors import StorageError
from homogaudit.store.run_lock import RunLock, lock_owner


def test_a_lock_that_is_a_link_is_refused_and_what_it_points_at_stays(tmp_path: Path):
    other = tmp_path / "diary.txt"
    other.write_text("dear diary")
    (tmp_path / "a.audit.lock").symlink_to(other)
    with pytest.raises(StorageError, match=r"`.*a\.audit\.lock` is a link") as caught, RunLock(tmp_path / "a.audit"):
        pass
    assert caught.value.hint == "it is none of this tool's: move `a.audit.lock` away"
    assert other.read_text() == "dear diary"
    assert lock_owner(tmp_path / "a.audit") is None


def test_a_lock_that_is_a_pipe_hangs_nobody(tmp_path: Path):
    os.mkfifo(tmp_path / "a.audit.lock")
    assert lock_owner(tmp_path / "a.audit") is None
    with pytest.raises(StorageError, match="is no regular file"), RunLock(tmp_path / "a.audit"):
        pass


def test_a_folder_under_the_name_of_a_lock_is_one_clear_line(tmp_path: Path):
    (tmp_path / "a.audit.lock").mkdir()
    with pytest.raises(StorageError, match="cannot lock `"), RunLock(tmp_path / "a.audit"):
        pass


def test_a_full_disk_is_named_and_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageError, match="no space left on device") as caught, RunLock(tmp_path / "a.audit"):
        pass
    assert caught.value.hint == "free some space and run the same command again"
    assert list(tmp_path.iterdir()) == []
