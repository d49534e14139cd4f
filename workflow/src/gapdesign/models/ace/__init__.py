"""Linear models in the basis of the atomic cluster expansion, with noise and prior by the likelihood of all labels.

Drautz, Phys. Rev. B 99, 014104 (2019); Witt et al., J. Chem. Phys. 159, 164101 (2023).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gapdesign.models.ace.options import AcePotentialOptions
from gapdesign.models.base import Load, Need, Potential, Seconds

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

    from gapdesign.config.part import At
    from gapdesign.models.linear import Linear
    from gapdesign.properties.base import Evaluate


class AcePotential(Potential):
    """Sum of functions of the environments of atoms, with coefficients that are found by least squares."""

    name = "ace"
    summary = "linear model in the basis of the atomic cluster expansion, by ace-jax"
    title = "linear atomic cluster expansion"
    determined = "the noise and the prior that maximise the likelihood of that design’s energies, forces and virials"
    Options = AcePotentialOptions
    environment = "ace"
    files = ("ace.npz", "ace.yace")
    replayed = ("start.npz", "start-ace.npz")
    least_megabytes = 2000
    reference = (
        "W. C. Witt et al., ACEpotentials.jl: A Julia implementation of the atomic cluster expansion, The Journal of"
        " Chemical Physics 159, 164101 (2023)",
        "10.1063/5.0158783",
        "the potential",
    )

    @classmethod
    def check(cls, options: AcePotentialOptions, species: Sequence[int]) -> None:
        """Check that the elements are known; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.ace.program import check

        check(species)

    @classmethod
    def cutoff(cls, options: AcePotentialOptions) -> float:
        """Return the radius of an environment; see :class:`gapdesign.models.Potential`."""
        return options.r_cut

    @classmethod
    def noise_bound(cls, options: AcePotentialOptions) -> float:
        """Return the upper bound of the noise of energies; see :class:`gapdesign.models.Potential`."""
        return options.bounds.noise[1]

    def hyperparameters(
        self,
        frames: Sequence[Atoms],
        isolated: Sequence[Atoms],
        *,
        rng: np.random.Generator,
        tell: Callable[[str], object],
    ) -> dict[str, Any]:
        """Maximise the likelihood of all labels; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.ace.fit import hyperparameters

        return hyperparameters(frames, isolated, options=self.options, species=self.species, tell=tell)

    def fit(
        self,
        frames: Sequence[Atoms],
        isolated: Sequence[Atoms],
        hyperparameters: Mapping[str, Any],
        outputs: Sequence[Path],
        *,
        rng: np.random.Generator,
        memory: int | None,
        tell: Callable[[str], object],
    ) -> None:
        """Solve the least-squares problem; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.ace.fit import fit

        fit(
            frames,
            isolated,
            hyperparameters,
            outputs,
            options=self.options,
            species=self.species,
            memory=memory,
            tell=tell,
        )

    @classmethod
    def require(cls) -> None:
        """Look for ace-jax; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.ace.program import require

        require()

    @classmethod
    def evaluator(cls, path: Path) -> Evaluate:
        """Load a model, for which ace-jax is not needed; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.ace.predict import evaluator

        return evaluator(path)

    @classmethod
    def linear(cls) -> Linear:
        """Return models with noises and prior of their own; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.ace.linear import LINEAR

        return LINEAR

    @classmethod
    def search_megabytes(cls, at: At) -> int:
        """Return the MiB of the search, which has the same products; see :class:`gapdesign.models.Potential`."""
        return cls.megabytes(at)

    @classmethod
    def need(cls, at: At) -> Need | None:
        """Return what a fit should take; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.ace.costs import Work

        if (load := Load.of_largest(at)) is None:
            return None
        work = Work.of(at.model.options, load)
        return Need(work.seconds().fit, work.megabytes())

    @classmethod
    def seconds(cls, at: At, load: Load) -> Seconds:
        """Return the costs by measured unit costs; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.ace.costs import Work

        return Work.of(at.model.options, load).seconds()
