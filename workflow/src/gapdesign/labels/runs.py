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
        """Provide an empty folder, and remove it with all its content afterwards."""
        if self.scratch is not None:
            self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="gapdesign-", dir=self.scratch) as folder:
            yield Path(folder)

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


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for item in sorted(source.iterdir()):
        if any(fnmatch.fnmatchcase(item.name, pattern) for pattern in LEFT_OUT):
            continue
        if item.is_dir() and not item.is_symlink():
            _copy(item, target / item.name)
        elif item.is_file() and item.stat().st_size <= LARGEST:
            shutil.copyfile(item, target / item.name)
        elif item.is_file():
            with item.open("rb") as stream:
                stream.seek(-TAIL, os.SEEK_END)
                (target / f"{item.name}.end").write_bytes(stream.read())
