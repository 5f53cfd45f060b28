"""Which file system a run would lie on; it knows nothing of runs."""

from pathlib import Path

from homogaudit.errors import RunFileError

_NETWORK_FILE_SYSTEMS = frozenset({"afs", "cifs", "fuse.sshfs", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"})
"""SQLite's write-ahead log needs memory shared by all its users, which these do not give (sqlite.org/wal.html)."""


def refuse_network_file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Check that a run can be written at `path`.

    `mounts` is Linux' table of what is mounted; where there is none, nothing is refused.

    Raises:
        RunFileError: Its folder is on a network file system.
    """
    kind = _file_system(path.parent, mounts)
    if kind in _NETWORK_FILE_SYSTEMS:
        message = f"`{path}` is on a network file system (`{kind}`), where a run can be damaged as it is written"
        raise RunFileError(message, "choose a folder on this machine with `-o`, and copy the file when it is done")


def _file_system(folder: Path, mounts: Path) -> str:
    """Return the type of the file system that holds `folder`; empty where the platform does not tell."""
    try:
        table = mounts.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
    folder = folder.resolve()
    deepest, kind = -1, ""
    for line in table.splitlines():
        _, point, file_system, *_ = line.split(" ")
        # The kernel writes a space in a path as \\040.
        place = Path(point.replace("\\040", " "))
        # A later mount at the same place hides the earlier one.
        if folder.is_relative_to(place) and len(place.parts) >= deepest:
            deepest, kind = len(place.parts), file_system
    return kind
