"""Linear ACE in one basis for many training sets: each finds its own noises and prior, as a fit does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import numpy as np

from gapdesign.config.keys import Species
from gapdesign.config.part import From
from gapdesign.errors import InputError
from gapdesign.files import read_arrays, write_arrays
from gapdesign.models.ace.evidence import KINDS, Evidence, maximise
from gapdesign.models.ace.options import AcePotentialOptions
from gapdesign.models.ace.program import new_basis, read_model, write_model
from gapdesign.models.ace.rows import isolated_energies, linear, unknowable
from gapdesign.models.linear import Functions, Linear, Training, Weights
from gapdesign.models.shared import evidence
from gapdesign.models.shared.evidence import Products

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

    from gapdesign.models.ace.basis import Basis


@dataclass(frozen=True)
class _Rows:
    basis: Basis

    def __len__(self) -> int:
        return self.basis.size

    def __call__(self, atoms: Atoms) -> np.ndarray:
        return linear(self.basis, atoms)


class AceFunctions(Functions):
    """Keys that the functions depend on; structures do not matter."""

    order: Annotated[int, From(lambda at: at.study.replayed.options.order)]
    degree: Annotated[int, From(lambda at: at.study.replayed.options.degree)]
    r_cut: Annotated[float, From(lambda at: at.study.replayed.options.r_cut)]
    species: Species

    def choose(self, structures: Callable[[], Iterable[Atoms]], output: Path) -> str:
        """Write a model without coefficients; see :class:`gapdesign.models.linear.Functions`."""
        given = AcePotentialOptions(order=self.order, degree=self.degree, r_cut=self.r_cut)
        basis = new_basis(given, self.species)
        write_model(output, basis, np.zeros(basis.size), np.zeros(len(self.species)))
        return f"{basis.size} functions"

    def rows(self, chosen: Path) -> _Rows:
        """Return the functions; see :class:`gapdesign.models.linear.Functions`."""
        return _Rows(read_model(chosen)[0])


@dataclass(frozen=True, eq=False)
class Sums(Training):
    """Labels as products of their rows, of which the likelihood and the coefficients are functions.

    Attributes
    ----------
    parts
        Products of each kind of label.
    roughness : (m,)
        That of the functions.
    options
        Bounds and starts of the search.
    """

    parts: Mapping[str, Products]
    roughness: np.ndarray
    options: AcePotentialOptions

    def add(self, parts: Iterable[tuple[np.ndarray, np.ndarray, int]]) -> Sums:
        """Return this with more structures; see :class:`gapdesign.models.linear.Training`."""

        def knowable() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for rows, labels, _ in parts:
                yield rows, np.where(unknowable(rows), np.nan, labels)

        more = evidence.products(knowable(), len(self.roughness), KINDS)
        return replace(self, parts=evidence.joined(self.parts, more))

    def coefficients(self) -> np.ndarray:
        """Return the coefficients (m,) at the most likely noises and prior; zero without a label."""
        if not self.parts:
            return np.zeros(len(self.roughness))
        likelihood = Evidence(self.parts, self.roughness)
        found = maximise(likelihood, self.options.bounds, self.options.starts, lambda _: None)
        if found is None:
            raise InputError(
                "models.ace.bounds: no start of the search found a regular matrix; raise the lower bounds."
            )
        return likelihood.coefficients(found.values)

    def write(self, path: Path) -> None:
        """Write the products."""
        arrays = {"roughness": self.roughness}
        for name, own in self.parts.items():
            arrays |= {f"{name}/{key}": value for key, value in own.arrays().items()}
        write_arrays(path, arrays)


class AceWeights(Weights):
    """Keys of the search for noises and prior."""

    options: Annotated[AcePotentialOptions, From(lambda at: at.study.replayed.options)]

    def begin(self, functions: AceFunctions, chosen: Path, isolated: Sequence[Atoms]) -> Sums:
        """Return no label, since the energies of isolated atoms hold exactly."""
        basis, _, _ = read_model(chosen)
        return Sums({}, basis.roughness, self.options)

    def read(self, path: Path) -> Sums:
        """Read products; see :class:`gapdesign.models.linear.Weights`."""

        def sums(arrays: dict[str, np.ndarray]) -> Sums:
            names = [name for name in KINDS if f"{name}/rows" in arrays]
            keys = ("rows", "mixed", "totals")
            parts = {name: Products.of({key: arrays[f"{name}/{key}"] for key in keys}) for name in names}
            return Sums(parts, arrays["roughness"], self.options)

        return read_arrays(path, sums, run="snakemake replay")

    def template(
        self, functions: AceFunctions, chosen: Path, isolated: Sequence[Atoms], start: Training, output: Path
    ) -> None:
        """Write the potential of the start; see :class:`gapdesign.models.linear.Weights`."""
        basis, _, _ = read_model(chosen)
        write_model(output, basis, start.coefficients(), isolated_energies(isolated, basis.species))


def _write(template: Path, coefficients: np.ndarray, output: Path) -> None:
    from gapdesign.models.ace.lammps import write_yace

    basis, _, alone = read_model(template)
    if output.suffix != ".yace":
        write_model(output, basis, coefficients, alone)
        return
    with TemporaryDirectory(prefix="gapdesign-") as folder:
        model = Path(folder) / "ace.npz"
        write_model(model, basis, coefficients, alone)
        write_yace(output, model)


def _calculator(template: Path, coefficients: np.ndarray) -> BaseCalculator:
    from gapdesign.models.ace.predict import of_model
    from gapdesign.properties.base import Evaluator

    basis, _, alone = read_model(template)
    readout = coefficients.reshape(len(basis.species), basis.width).T
    return Evaluator(of_model(template, basis, readout, alone))


LINEAR = Linear(AceFunctions, AceWeights, lambda study: None, _write, _calculator)
