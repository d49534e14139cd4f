"""Files of calculations made elsewhere: which a path leads to, and of what kind they are."""

from __future__ import annotations

import fnmatch
import glob
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gapdesign.errors import InputError
from gapdesign.files import read_json
from gapdesign.inputs.unpacked import plain_name, unpacked

IDENTITY = "gapdesign.json"
"""File in an exported folder that identifies its structure."""

INPUT = "structure.extxyz"
"""File in an exported folder that holds the structure alone."""

KINDS = {
    "vasprun": ("vasprun*.xml",),
    "outcar": ("OUTCAR", "*.OUTCAR"),
    "espresso": ("*.pwo", "pw.out", "*.pw.out"),
    "schema": ("data-file-schema.xml",),
    "frames": ("*.extxyz", "*.xyz"),
}
"""Files that are looked for in folders, compressed or not; if a calculation left several kinds, the first counts."""


@dataclass(frozen=True)
class Source:
    """One file of results.

    Attributes
    ----------
    path : Path
    kind : str
        One of :data:`KINDS`, or ``other`` for any other file of structures.
    identity : mapping
        Content of the :data:`IDENTITY` beside it; empty if there is none.
    exact : Path, optional
        Another file that gives the same values to more digits: the XML file beside the text output of pw.x.
    """

    path: Path
    kind: str
    identity: Mapping[str, Any]
    exact: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All files that it is read from."""
        return [self.path] if self.exact is None else [self.path, self.exact]


def find(paths: Sequence[str]) -> list[Source]:
    """Find the files of results that the paths lead to, sorted by name.

    Parameters
    ----------
    paths
        Files, folders (which are searched recursively), and patterns of either.

    Raises
    ------
    InputError
        If a path leads nowhere, or a folder holds no results.
    """
    sources: dict[Path, Source] = {}
    for given in paths:
        found = sorted(Path(name) for name in glob.glob(str(Path(given).expanduser()), recursive=True))
        if not found:
            raise InputError(
                f"labels.file.paths: there is no '{given}'; paths are relative to where snakemake is called."
            )
        mine = [source for path in found for source in _below(path)]
        if not mine:
            known = ", ".join(name for names in KINDS.values() for name in names)
            raise InputError(f"labels.file.paths: '{given}' holds no results; files of results are named {known}.")
        sources |= {source.path: source for source in mine}
    return [sources[path] for path in sorted(sources)]


def _below(path: Path) -> Iterator[Source]:
    if path.is_file():
        # pw.x puts its XML file into a folder of its own.
        home = path.parent.parent if path.parent.suffix == ".save" else path.parent
        yield Source(path, _kind(path.name) or _content(path), _identity(home))
        return
    folders = [path, *(inner for inner in path.rglob("*") if inner.is_dir() and inner.suffix != ".save")]
    for folder in sorted(folders):
        files = sorted(item for item in folder.iterdir() if item.is_file() and item.name != INPUT)
        files += sorted(folder.glob("*.save/data-file-schema.xml"))
        kinds = [kind for kind in KINDS if any(_kind(item.name) == kind for item in files)]
        if not kinds:
            continue
        chosen = [item for item in files if _kind(item.name) == kinds[0]]
        schemas = [item for item in files if _kind(item.name) == "schema"]
        exact = schemas[0] if kinds[0] == "espresso" and len(chosen) == len(schemas) == 1 else None
        for item in chosen:
            yield Source(item, kinds[0], _identity(folder), exact)


def _kind(name: str) -> str | None:
    matches = (
        kind for kind, patterns in KINDS.items() if any(fnmatch.fnmatchcase(plain_name(name), p) for p in patterns)
    )
    return next(matches, None)


_BEGINNINGS = (
    ("outcar", r"\s*vasp\.\d"),
    ("vasprun", r"(<\?xml[^>]*>)?\s*<modeling>"),
    ("schema", r"(<\?xml[^>]*>)?\s*<qes:espresso"),
    ("espresso", r"(?s).*Program PWSCF v"),
)
"""The beginnings of outputs whose convergence is judged, whatever the files are called."""


def _content(path: Path) -> str:
    """Return the kind of a file by its content."""
    with unpacked(path, "labels.file.paths") as place, place.open("rb") as stream:
        head = stream.read(1000).decode("utf-8", errors="replace")
    return next((kind for kind, pattern in _BEGINNINGS if re.match(pattern, head)), "other")


def _identity(folder: Path) -> Mapping[str, Any]:
    path = folder / IDENTITY
    return read_json(path) if path.is_file() else {}
