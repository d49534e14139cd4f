"""Formats from which programs learn: a family of writers of labelled structures.

Each module here that has a class derived from :class:`Format` is one format; :mod:`.dataset` reads labelled structures
and parts them, and :mod:`.shared` holds what several formats use.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gapdesign.families import Family
from gapdesign.files import new_folder
from gapdesign.formats.base import TRAIN, Dataset, Format

__all__ = ["FORMATS", "Format", "export"]

FORMATS: Family[Format] = Family("gapdesign.formats", Format)
"""Every format by its name."""


def export(dataset: Dataset, form: Format, folder: str | Path) -> Iterable[Path]:
    """Write a set into a new folder, which is whole or not there, and return its files or folders.

    Raises
    ------
    InputError
        If the folder exists already, or the format cannot carry something.
    """
    form.check(dataset)
    files = form.files(dataset)
    with new_folder(folder) as temporary:
        for part, data in dataset.parts.items():
            has_atoms = part == TRAIN and form.isolated == "structures"
            alone = [dataset.isolated[symbol] for symbol in dataset.energies] if has_atoms else []
            form.write([*alone, *data], temporary / files[part], dataset)
    return [Path(folder) / name for name in files.values()]
