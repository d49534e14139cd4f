"""GAPs in one basis for many training sets, with the expected errors of labels as they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from gapdesign.config.keys import AverageKernel, Soap, Species
from gapdesign.config.part import At, From
from gapdesign.errors import InputError
from gapdesign.files import read_array, write_array, write_text
from gapdesign.models.gap.expansion import Expansion, Model
from gapdesign.models.gap.options import GapOptions
from gapdesign.models.linear import Functions, Linear, Training, Weights
from gapdesign.models.shared import leastsquares
from gapdesign.streams import stream

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

    from gapdesign.config.study import Study
    from gapdesign.models.gap.rows import LabelRows


def _options(at: At) -> GapOptions:
    return at.study.replayed.options


class GapFunctions(Functions):
    """Keys that the points of the expansion depend on."""

    seed: int
    species: Species
    soap: Soap
    kernel: AverageKernel
    transition: Annotated[float, From(lambda at: _options(at).soap_transition)]
    jitter: Annotated[float, From(lambda at: _options(at).sparse.jitter)]
    per_length: Annotated[float, From(lambda at: _options(at).sparse.points_per_length)]
    points: Annotated[int, From(lambda at: at.study.replay.points)]
    sample: Annotated[int, From(lambda at: at.study.replay.sample)]

    @property
    def model(self) -> Model:
        """The kernels of the potentials."""
        return Model(soap=self.soap, kernel=self.kernel, transition=self.transition, jitter=self.jitter)

    def choose(self, structures: Callable[[], Iterable[Atoms]], output: Path) -> str:
        """Choose points, and write them; see :class:`gapdesign.models.linear.Functions`."""
        from gapdesign.models.gap.basis import choose

        chosen = choose(
            structures,
            list(self.species),
            self.model,
            points=self.points,
            sample=self.sample,
            per_length=self.per_length,
            rng=np.random.Generator(stream(f"{self.seed}/replay/points")),
        )
        chosen.write(output)
        return f"{len(chosen)} points: " + ", ".join(f"{len(points)} of {key}" for key, points in chosen.terms())

    def rows(self, chosen: Path) -> LabelRows:
        """Return covariances with the points; see :class:`gapdesign.models.linear.Functions`."""
        from gapdesign.models.gap.rows import LabelRows

        return LabelRows(Expansion.read(chosen), self.model)

    def boxed(self, isolated: Sequence[Atoms]) -> list[Atoms]:
        """Return isolated atoms in boxes in which they do not see their images."""
        from gapdesign.models.gap.environments import boxed

        return boxed(isolated, cutoff=max(self.soap.r_cut, self.kernel.pair.r_cut))


@dataclass(frozen=True)
class Sigmas:
    """Expected errors: of energies (eV per atom), forces (eV/angstrom) and virials (eV per atom)."""

    energy: float
    force: float
    virial: float

    def of(self, size: int) -> np.ndarray:
        """Return the expected errors of all labels of a structure of ``size`` atoms."""
        return leastsquares.sigmas(size, energy=self.energy, force=self.force, virial=self.virial)


@dataclass(frozen=True, eq=False)
class Factor(Training):
    """Labels as a factor of the least-squares problem that gap_fit solves.

    Attributes
    ----------
    values : (m + 1, m + 1)
        See :mod:`gapdesign.models.shared.leastsquares`.
    sigmas
        Expected errors of labels.
    """

    values: np.ndarray
    sigmas: Sigmas

    def add(self, parts: Iterable[tuple[np.ndarray, np.ndarray, int]]) -> Factor:
        """Return this with more structures; see :class:`gapdesign.models.linear.Training`."""
        weighted = ((rows, labels, self.sigmas.of(size)) for rows, labels, size in parts)
        return Factor(leastsquares.add(self.values, weighted), self.sigmas)

    def coefficients(self) -> np.ndarray:
        """Return the coefficients (m,)."""
        return leastsquares.coefficients(self.values)

    def write(self, path: Path) -> None:
        """Write the factor."""
        write_array(path, self.values)


class GapWeights(Weights):
    """Expected errors of labels, by which they are weighted."""

    energy_sigma: Annotated[float, From(lambda at: at.study.replay.energy_sigma)]
    force_sigma: Annotated[float, From(lambda at: _options(at).sigma.force)]
    virial_sigma: Annotated[float, From(lambda at: _options(at).sigma.virial)]

    @property
    def sigmas(self) -> Sigmas:
        """The expected errors."""
        return Sigmas(self.energy_sigma, self.force_sigma, self.virial_sigma)

    def begin(self, functions: GapFunctions, chosen: Path, isolated: Sequence[Atoms]) -> Factor:
        """Return the factor of isolated atoms; see :class:`gapdesign.models.linear.Weights`."""
        rows = functions.rows(chosen)
        prior = leastsquares.prior(rows.basis.covariance(functions.model))
        alone = np.r_[0.0, np.full(9, np.nan)]
        return Factor(prior, self.sigmas).add([(rows(box), alone, 1) for box in functions.boxed(isolated)])

    def read(self, path: Path) -> Factor:
        """Read a factor; see :class:`gapdesign.models.linear.Weights`."""
        return Factor(read_array(path), self.sigmas)

    def template(
        self, functions: GapFunctions, chosen: Path, isolated: Sequence[Atoms], start: Training, output: Path
    ) -> None:
        """Write what gap_fit makes of isolated atoms; see :class:`gapdesign.models.linear.Weights`."""
        from gapdesign.models.gap.template import gap_fit

        basis, boxes = Expansion.read(chosen), functions.boxed(isolated)
        write_text(output, gap_fit(basis, functions.model, boxes, [], **asdict(self.sigmas)))


def _check(study: Study) -> None:
    jitter, variance = study.replayed.options.sparse.jitter, study.kernel.soap.scale**2
    if 0 < variance <= jitter:
        raise InputError(
            f"model.sparse.jitter: {jitter:g} is not below kernel.soap.scale squared, {variance:g}, which leaves a"
            " replay without SOAP vectors; lower it."
        )


def _write(template: Path, coefficients: np.ndarray, output: Path) -> None:
    from gapdesign.models.gap.template import with_coefficients

    write_text(output, with_coefficients(template.read_text(encoding="utf-8"), coefficients))


def _calculator(template: Path, coefficients: np.ndarray) -> BaseCalculator:
    from gapdesign.models.gap.template import calculator, with_coefficients

    return calculator(with_coefficients(template.read_text(encoding="utf-8"), coefficients))


LINEAR = Linear(GapFunctions, GapWeights, _check, _write, _calculator)
