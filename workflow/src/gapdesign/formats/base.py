"""The interface of formats, and the labelled structures that they write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ase.data import atomic_numbers

from gapdesign.errors import InputError
from gapdesign.families import Member

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

    from gapdesign.inputs.labels import Values

TRAIN, VALID = "train", "valid"
"""The parts of a set: what is learnt, and what training does not see."""

FAR = 12.0
"""Distance, in angstrom, within which no atom gets an image where its structure is not periodic and a program knows no
such structures."""


@dataclass(frozen=True, eq=False)
class Datum:
    """A structure with what is known of it.

    Attributes
    ----------
    atoms : Atoms
        The structure alone.
    values : Values
        Its labels.
    said : dict
        Text, numbers and truth values that its frame carries besides, such as `config_type`.
    name : str
        File and place, for messages.
    """

    atoms: Atoms
    values: Values
    said: dict[str, Any]
    name: str

    @property
    def stress(self) -> np.ndarray | None:
        """Minus the virial by the volume, (3, 3), in eV/angstrom^3: positive under tension."""
        if self.values.virial is None or self.atoms.cell.rank < 3:
            return None
        return -self.values.virial / self.atoms.get_volume() + 0.0


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled set in parts.

    Attributes
    ----------
    parts : dict
        Structures by part: :data:`TRAIN` and, if some are kept back, :data:`VALID`. Isolated atoms are in none.
    isolated : dict
        The isolated atom of each element by its symbol, as far as there are any.
    """

    parts: Mapping[str, Sequence[Datum]]
    isolated: Mapping[str, Datum]

    @cached_property
    def elements(self) -> list[str]:
        """Symbols of all elements of the structures, by atomic number."""
        found = {symbol for data in self.parts.values() for each in data for symbol in set(each.atoms.symbols)}
        return sorted(found, key=atomic_numbers.__getitem__)

    @property
    def energies(self) -> dict[str, float]:
        """Energies of isolated atoms by element, in eV, in the order of the elements, as far as they are known."""
        return {symbol: self.isolated[symbol].values.energy for symbol in self.elements if symbol in self.isolated}

    @property
    def knows_atoms(self) -> bool:
        """Whether there is an isolated atom of every element."""
        return len(self.energies) == len(self.elements)


class Format(Member, ABC):
    """Files from which a program learns.

    Attributes
    ----------
    title
        Programs that read it, for people.
    needs
        Labels without which a structure cannot be written.
    isolated
        What becomes of isolated atoms: `structures` of the training part, `numbers` in the program's input, or
        `subtracted` from energies.
    suffix
        Of the file of a part; empty if a part is a folder.
    """

    title: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("energy", "forces")
    isolated: ClassVar[Literal["structures", "numbers", "subtracted"]]
    suffix: ClassVar[str]

    @abstractmethod
    def write(self, data: Sequence[Datum], path: Path, dataset: Dataset) -> None:
        """Write a part of a set.

        Parameters
        ----------
        data
            Its structures, behind isolated atoms if these are `structures`.
        path
            File or folder of the part, which does not exist yet.
        dataset
            The whole set: elements, and energies of isolated atoms.
        """

    @abstractmethod
    def lines(self, dataset: Dataset) -> list[str]:
        """Return the lines of the program's input or command that name the files, keys, elements and energies."""

    def files(self, dataset: Dataset) -> dict[str, str]:
        """Return the file or folder of each part by its name."""
        return {part: f"{part}{self.suffix}" for part in dataset.parts}

    def check(self, dataset: Dataset) -> None:
        """Refuse what the format cannot carry.

        Raises
        ------
        InputError
            For the first structure that lacks a label, or if only some elements have an isolated atom to subtract.
        """
        for each in (each for data in dataset.parts.values() for each in data):
            for quantity in self.needs:
                if getattr(each.values, quantity) is None:
                    raise InputError(
                        f"{each.name}: it has no {quantity}, without which {self.title} cannot learn from it; label it,"
                        " or remove it."
                    )
        if self.isolated == "subtracted" and dataset.isolated:
            for symbol in dataset.elements:
                if symbol not in dataset.energies:
                    raise InputError(
                        f"--isolated: there is no isolated atom of {symbol}, though of others, and energies are counted"
                        " from them; add its frame."
                    )
