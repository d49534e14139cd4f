"""Reference engines as the functions that properties are measured with: structure -> energy, forces and virial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gapdesign.engines.base import Label
from gapdesign.labels.gate import LimitOptions
from gapdesign.properties.base import Evaluate, NotMeasuredError

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.engines.base import Engine
    from gapdesign.labels.runs import Runs

ANY_SHAPE = LimitOptions(min_angle=0, max_aspect=1e6)
"""Limits that refuse no cell: a stretched dimer's box is not a candidate."""

BOX = 1000.0
"""Volume, in angstrom^3, above which a single atom in its cell counts as isolated."""

DIGITS = 16
"""Number of digits of a structure's key in the name of its folder."""


def of_engine(engine: Engine, store: str | Path, runs: Runs) -> Evaluate:
    """Return a function that evaluates a reference engine, with all its attempts.

    The store keeps the labels, unless the engine is instant, so that none is computed twice. Each structure has a
    folder of its own among the runs that are kept, named after its key.

    Parameters
    ----------
    engine
        The engine.
    store
        Folder of the label store.
    runs
        Folders in which the engine runs.

    Raises
    ------
    InputError
        If the engine cannot run here.
    """
    from gapdesign.labels.identity import structure_key
    from gapdesign.labels.labeller import Labeller, NoLabelError
    from gapdesign.labels.store import LabelStore

    if engine.is_instant:
        return lambda atoms: engine.label(atoms, Path())
    labeller = Labeller(engine=engine, store=LabelStore(store), runs=runs, min_fraction=0.0, limits=ANY_SHAPE)

    def evaluate(atoms: Atoms) -> Label:
        alone = len(atoms) == 1 and bool(atoms.get_volume() > BOX)
        try:
            return labeller.label(atoms, f"properties/{structure_key(atoms)[:DIGITS]}", isolated=alone)
        except NoLabelError as error:
            reason = f"{error}".rstrip(".") + f"; its files are in {error.directory}." if error.directory else error
            raise NotMeasuredError(f"The engine {engine.name} returned no label: {reason}") from None

    return evaluate
