"""The database of ASE: SQLite, with everything that frames say as keys to select by."""

from __future__ import annotations

import hashlib
import sqlite3
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gapdesign.formats.base import VALID, Dataset, Datum, Format


class AseDbFormat(Format):
    """Rows with energy, forces and stress in the sign of ASE, positive under tension.

    A row's time is 0 and its identity a digest of its content, so that equal sets are equal files.
    """

    name = "ase_db"
    summary = "SQLite database of ASE"
    title = "ASE"
    needs = ()
    isolated = "structures"
    suffix = ".db"

    def write(self, data: Sequence[Datum], path: Path, dataset: Dataset) -> None:
        """Write a part; see :class:`gapdesign.formats.base.Format`."""
        from ase.calculators.singlepoint import SinglePointCalculator
        from ase.db import connect
        from ase.stress import full_3x3_to_voigt_6_stress

        with connect(path, append=False, use_lock_file=False) as database:
            for each in data:
                stress = None if each.stress is None else full_3x3_to_voigt_6_stress(each.stress)
                results = {"energy": each.values.energy, "forces": each.values.forces, "stress": stress}
                atoms = each.atoms.copy()
                atoms.calc = SinglePointCalculator(atoms, **results)
                keys, rest = _keys(each.said)
                database.write(atoms, keys, data=rest)
        _without_time(path)

    def lines(self, dataset: Dataset) -> list[str]:
        """Return lines of Python; see :class:`gapdesign.formats.base.Format`."""
        files = self.files(dataset)
        found = [f'rows = ase.db.connect("{files["train"]}").select()']
        return found + ([f'others = ase.db.connect("{files[VALID]}").select()'] if VALID in files else [])


def _keys(said: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part what a frame says into keys that a database selects by, and the rest."""
    from ase.db.core import check

    keys, rest = {}, {}
    for key, value in said.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                check({key: value})
            except (ValueError, UserWarning):
                rest[key] = value
            else:
                keys[key] = value
    return keys, rest


def _without_time(path: Path) -> None:
    """Replace what differs from one writing to the next: times, the user, and random identities."""
    connection = sqlite3.connect(path)
    with connection:
        rows = connection.execute("SELECT * FROM systems ORDER BY id").fetchall()
        for row in rows:
            identity = hashlib.sha256(repr((row[0], row[5:])).encode()).hexdigest()[:32]
            connection.execute(
                "UPDATE systems SET unique_id=?, ctime=0, mtime=0, username='gapdesign' WHERE id=?", (identity, row[0])
            )
    connection.execute("VACUUM")
    connection.close()
