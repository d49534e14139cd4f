"""Folders in which engines run, and the files kept from them."""

from __future__ import annotations

import fnmatch
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gapdesign import alive

Keep = Literal["failed", "all", "nothing"]

LEFT_OUT = (
    *("WAVECAR", "CHG", "CHGCAR", "AECCAR*", "LOCPOT", "ELFCAR", "PROCAR", "TMPCAR", "POTCAR"),
    *("*.gpw", "*.wfc*", "*.hdf5", "*.h5", "*.save", "*.mix*", "*.UPF", "*.upf", "core", "core.*"),
)
"""File names that are never kept: wave functions, densities and potentials, which are large or under licence."""

LARGEST = 16 * 2**20
"""Largest file, in bytes, that is kept whole. Of a larger one the end is kept, which shows how the program stopped."""

TAIL = 2**20
"""Size of that end, in bytes."""

_PACKED = (b"\x1f\x8b", b"\x1f\x9d", b"BZh", b"\xfd7zXZ", b"PK\x03\x04", b"(\xb5/\xfd", b"7z\xbc\xaf", b"\x04\x22M\x18")
"""First bytes of files that gzip, compress, bzip2, xz, zip, zstd, 7z and lz4 write."""

_SCRATCH, _LOCK = "gapdesign-", ".lock"
"""Beginning of the names of folders in which engines run, and end of the names of the locks beside them."""


@dataclass(frozen=True)
class Runs:
    """Place where an engine runs, and the choice of files that remain.

    Attributes
    ----------
    kept : Path, optional
        Folder for the runs that are kept; without it, none are kept.
    keep : str
        ``failed``, ``all`` or ``nothing``.
    scratch : Path, optional
        Folder in which runs take place; by default the temporary folder of the machine.
    """

    kept: Path | None = None
    keep: Keep = "failed"
    scratch: Path | None = None

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Provide an empty folder, and remove it with all its content afterwards.

        Folders of jobs that were killed, on this machine, are removed before.
        """
        scratch = Path(tempfile.gettempdir()) if self.scratch is None else self.scratch
        scratch.mkdir(parents=True, exist_ok=True)
        _sweep(scratch)
        folder = scratch / f"{_SCRATCH}{alive.unique()}"
        lock = folder.with_suffix(f"{folder.suffix}{_LOCK}")
        with alive.held(lock):
            try:
                folder.mkdir(mode=0o700)
                yield folder
            finally:
                _remove(folder, lock)

    def forget(self, name: str) -> None:
        """Remove the files kept from earlier attempts at ``name``."""
        if self.kept is not None:
            place = self._place(name)
            for old in sorted(place.parent.glob(f"{place.name}-[0-9]*")):
                shutil.rmtree(old)

    def _place(self, name: str) -> Path:
        """Return the path of a run, which must be inside the folder of kept runs, since it is emptied and filled."""
        parts = Path(name).parts
        if self.kept is None or not parts or Path(name).is_absolute() or ".." in parts:
            raise ValueError(f"{name!r} is no place within {self.kept}")
        return self.kept / name

    def stow(self, folder: Path, name: str, *, failed: bool) -> str:
        """Keep the files of a run under ``name``, if wanted; return their folder, or an empty string."""
        wanted = self.keep == "all" or (self.keep == "failed" and failed)
        if self.kept is None or not wanted or not any(folder.iterdir()):
            return ""
        target = self._place(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=target.parent) as temporary:
            _copy(folder, Path(temporary) / target.name)
            shutil.rmtree(target, ignore_errors=True)
            (Path(temporary) / target.name).rename(target)
        return target.as_posix()


def _sweep(scratch: Path) -> None:
    """Remove the folders of jobs that were killed."""
    for lock in scratch.glob(f"{_SCRATCH}{alive.KERNEL}.*{_LOCK}"):
        with alive.left(lock) as is_left:
            if is_left:
                _remove(lock.with_suffix(""), lock)


def _remove(folder: Path, lock: Path) -> None:
    """Remove a folder, and its lock unless something of it is left, such as what a dying program still writes."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        lock.unlink(missing_ok=True)


def may_not_be_shared(path: Path) -> bool:
    """Tell whether a file holds a POTCAR, or is packed and may hold one, by its content.

    Wrappers leave copies under names of their own, and in archives.
    """
    with path.open("rb") as stream:
        head = stream.read(512)
        if head.startswith(_PACKED) or head[257:262] == b"ustar":
            return True
        if path.stat().st_size > LARGEST:  # only its end would be kept
            stream.seek(-TAIL, os.SEEK_END)
            head = b""
        content = head + stream.read(LARGEST)
    return b"End of Dataset" in content or (b"VRHFIN" in content and b"local part" in content)


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for item in sorted(source.iterdir()):
        if any(fnmatch.fnmatchcase(item.name, pattern) for pattern in LEFT_OUT):
            continue
        if item.is_dir() and not item.is_symlink():
            _copy(item, target / item.name)
        elif item.is_file() and may_not_be_shared(item):
            continue
        elif item.is_file() and item.stat().st_size <= LARGEST:
            shutil.copyfile(item, target / item.name)
        elif item.is_file():
            with item.open("rb") as stream:
                stream.seek(-TAIL, os.SEEK_END)
                (target / f"{item.name}.end").write_bytes(stream.read())
