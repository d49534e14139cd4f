"""Files of the user's, plain or compressed, under names that no reader interprets."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile

from gapdesign.errors import InputError

SUFFIXES = (".gz", ".bz2", ".xz", ".zip")
"""Endings of compressed files."""

GROWTH = 200
"""Largest factor by which a file may grow when it is unpacked; structures as text grow less than 20 times."""

SMALL = 2**26
"""Bytes below which the growth does not matter."""

_BLOCK = 2**20
_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\x00": ".xz", b"PK\x03\x04": ".zip"}
_TAR = (257, b"ustar")


def plain_name(path: str | Path) -> str:
    """Return the name of a file without the ending of a compression."""
    path = Path(path)
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


def reason(error: BaseException) -> str:
    """Return what an exception says as one short line of printable characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return f"{text[:197]}..." if len(text) > 200 else text


@contextmanager
def unpacked(path: str | Path, key: str) -> Iterator[Path]:
    """Provide a file, unpacked if it is compressed, at a temporary path.

    ASE finds the format by the name but takes some characters of it (`@`, a leading `-`) for instructions, so the
    temporary name keeps letters, digits, dots, dashes and underscores only.

    Parameters
    ----------
    path
        File of the user's.
    key : str
        Key of the configuration that names it, for messages.

    Raises
    ------
    InputError
        If there is no such file, if it cannot be unpacked, or if it grows beyond :data:`GROWTH`.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{key}: '{path}' is a folder; name a file of structures.")
    if path.exists() and not path.is_file():
        raise InputError(f"{key}: '{path}' is no regular file; name a file of structures.")
    try:
        with path.open("rb") as stream:
            head = stream.read(_TAR[0] + len(_TAR[1]))
    except FileNotFoundError:
        raise InputError(f"{key}: no file '{path}'; paths start where snakemake is run.") from None
    except OSError as error:
        raise InputError(f"{key}: '{path}' cannot be read ({error.strerror}); make it readable.") from error
    if not head:
        raise InputError(f"{key}: '{path}' is empty; name a file of structures.")
    packing = _packing(head)
    if packing is None and path.suffix.lower() in SUFFIXES:
        raise InputError(f"{key}: '{path}' is not compressed as its name says; copy or rename it.")
    with TemporaryDirectory(prefix="gapdesign-") as folder:
        if packing is None:
            place = Path(folder, _safe(path.name))
            place.symlink_to(path.resolve())
        else:
            place = _unpack(path, packing, Path(folder), key)
        with place.open("rb") as stream:
            head = stream.read(_TAR[0] + len(_TAR[1]))
        if head[_TAR[0] :] == _TAR[1]:
            raise InputError(f"{key}: '{path}' is an archive of several files; unpack it and name one of them.")
        if _packing(head):  # or ASE would unpack it again, without any limit
            raise InputError(f"{key}: '{path}' is compressed twice; unpack it yourself.")
        yield place


def _packing(head: bytes) -> str | None:
    """Return the ending of the compression that a file of this beginning has; None if it has none."""
    return next((suffix for magic, suffix in _MAGIC.items() if head.startswith(magic)), None)


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip("-.") or "file"


def _unpack(path: Path, packing: str, folder: Path, key: str) -> Path:
    name = path.name if path.suffix.lower() not in SUFFIXES else path.stem
    place = folder / _safe(name)
    try:
        if packing != ".zip":
            opener = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}[packing]
            with opener(path, "rb") as stream:
                _copy(stream, place, path, key)
            return place
        with ZipFile(path) as archive:
            members = [item for item in archive.infolist() if not item.is_dir() and not item.filename.startswith("__")]
            if len(members) != 1:
                raise InputError(
                    f"{key}: '{path}' is an archive of {len(members)} files; unpack it and name one of them."
                )
            place = folder / _safe(Path(members[0].filename).name)
            with archive.open(members[0]) as stream:
                _copy(stream, place, path, key)
            return place
    except (EOFError, BadZipFile, lzma.LZMAError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{key}: '{path}' cannot be unpacked ({reason(error)}); copy it again.") from error
    except OSError as error:
        if error.errno is None or isinstance(error, gzip.BadGzipFile):
            raise InputError(f"{key}: '{path}' cannot be unpacked ({reason(error)}); copy it again.") from error
        raise InputError(
            f"{key}: '{path}' cannot be unpacked into {folder.parent} ({error.strerror}); set TMPDIR to a folder with"
            " room, or unpack it yourself."
        ) from error


def _copy(stream: BinaryIO, place: Path, path: Path, key: str) -> None:
    """Copy an unpacked stream, but no more than a file of that size can honestly hold."""
    most = max(SMALL, GROWTH * path.stat().st_size)
    with place.open("wb") as target:
        shutil.copyfileobj(_Bounded(stream, most, path, key), target, _BLOCK)


class _Bounded:
    """A stream that refuses to give more than it may."""

    def __init__(self, stream: BinaryIO, most: int, path: Path, key: str) -> None:
        self._stream, self._left, self._path, self._key = stream, most, path, key

    def read(self, size: int) -> bytes:
        block = self._stream.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise InputError(
                f"{self._key}: '{self._path}' grows to more than {GROWTH} times its size when it is unpacked, as no"
                " file of structures does; unpack it yourself if you trust it."
            )
        return block
