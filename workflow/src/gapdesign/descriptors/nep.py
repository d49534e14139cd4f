"""Features of atoms by a neuroevolution potential, such as the foundation model NEP89.

Fan et al., Phys. Rev. B 104, 104309 (2021), and J. Chem. Phys. 157, 114801 (2022); for NEP89, Liang et al.,
arXiv:2504.21286 (2025).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols
from pydantic import Field

from gapdesign.cells import periodic
from gapdesign.config.options import Options
from gapdesign.descriptors.base import EnvironmentDescriptor, Slopes
from gapdesign.descriptors.neuroevolution import PATH, Functions, header, refuse_unsound
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.structures import Batch


class NepOptions(Options):
    """Options of the descriptor `nep`."""

    path: str = Field(
        "nep89.txt",
        min_length=1,
        description="File of the model: your own `nep.txt`, or the foundation model NEP89 of 89 elements (see"
        " docs/features.md).",
    )


class NepDescriptor(EnvironmentDescriptor):
    """Radial and angular features by nep-adapters, scaled as the network of the model takes them.

    Models describe periodic structures. Where a structure is not periodic, its cell is made so long that no atom has
    an image within the cut-off.
    """

    name = "nep"
    summary = "features of a neuroevolution potential: the foundation model NEP89, or one of your own"
    Options = NepOptions
    environment = "nep"
    has_derivatives = True
    seconds = 3e-5
    reference = (
        "Z. Fan et al., Neuroevolution machine learning potentials, Physical Review B 104, 104309 (2021)",
        "10.1103/PhysRevB.104.104309",
        "the features of the selection",
    )

    def __init__(self, options: NepOptions, species: Sequence[int]) -> None:
        super().__init__(options, species)
        self.check(options, species)
        self._cutoff = header(options.path).cutoff
        self._calculator = load(options.path, Path(options.path).stat().st_mtime_ns, PATH, "descriptor.backend")

    @classmethod
    def dimension(cls, options: NepOptions, n_species: int) -> int:
        """Return the length of a vector, from the first lines of the model; the number of elements does not count.

        Raises
        ------
        InputError
            If there is no such file, or it is no potential of this kind.
        """
        return header(options.path).dimension

    @classmethod
    def files(cls, options: NepOptions) -> tuple[str, ...]:
        """Return the file of the model; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        return (options.path,)

    @classmethod
    def check(cls, options: NepOptions, species: Sequence[int]) -> None:
        """Check that the model is whole and knows the elements, before any job runs.

        Raises
        ------
        InputError
            If the file is missing, cut off or no potential of this kind, or lacks an element.
        """
        known = header(options.path).elements
        missing = [chemical_symbols[z] for z in species if chemical_symbols[z] not in known]
        if missing:
            raise InputError(f"{PATH}: '{options.path}' knows no {missing[0]}; name another model.")
        refuse_unsound(options.path)

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Describe some atoms of one structure; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        return self._calculator.predict_descriptors([periodic(batch.atoms(k), self._cutoff)])[centers]

    def slopes(self, batch: Batch, k: int) -> Iterator[Slopes]:
        """Differentiate the vectors; see :class:`gapdesign.descriptors.EnvironmentDescriptor`.

        Raises
        ------
        InputError
            If the formulas do not give the vectors of the program.
        """
        atoms, count = batch.atoms(k), int(batch.offsets[k + 1] - batch.offsets[k])
        vectors = self(batch, k, np.arange(count))
        for one in self._functions(atoms):
            vector = vectors[one.center]
            if not np.allclose(one.vector, vector, rtol=0, atol=1e-9 * np.abs(vector).max()):
                raise InputError(f"{PATH}: derivatives of '{self.options.path}' are unknown; its formulas are others.")
            yield one

    @cached_property
    def _functions(self) -> Functions:
        return Functions(self.options.path)


MISSING = (
    "nep-adapters is not installed; run `pip install nep-adapters==1.0.3`, run the workflow with --sdm conda, or choose"
    " another one."
)
"""What a message says, after a key of the configuration, where the program is missing."""


@lru_cache(maxsize=2)
def load(path: str, changed: int, option: str, wanted: str) -> Any:
    """Return the program with a model, loaded once for as long as the file stays the same.

    Parameters
    ----------
    path
        File of the model.
    changed
        When it was, in ns.
    option
        What messages on the file begin with.
    wanted
        The key of the configuration that asks for the program.

    Raises
    ------
    InputError
        If the program is missing or cannot load the file.
    """
    try:
        from nep_adapters import NEPCalculator
    except ImportError as error:
        raise InputError(f"{wanted}: {MISSING}") from error
    try:
        return NEPCalculator(path)
    except Exception as error:
        raise InputError(f"{option}: '{path}' cannot be loaded: {error}.") from error
