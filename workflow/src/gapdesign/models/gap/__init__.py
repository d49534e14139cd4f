"""Gaussian approximation potentials, with the kernel by which designs are chosen (BR 3.2).

Bartók et al., Phys. Rev. Lett. 104, 136403 (2010), fitted by gap_fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gapdesign.models.base import Kernel, Load, Need, Potential, Seconds
from gapdesign.models.gap.options import GapOptions

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

    from gapdesign.config.part import At
    from gapdesign.models.linear import Linear
    from gapdesign.properties.base import Evaluate


class GapPotential(Potential):
    """Sum of a pair potential and a potential of SOAP environments, both Gaussian processes."""

    name = "gap"
    summary = "Gaussian approximation potential with the kernel of the study, by gap_fit"
    title = "Gaussian approximation potential"
    determined = "the hyperparameters that maximise the likelihood of that design’s energies"
    licence = (
        "The GAP code, with which these models are fitted and evaluated, is under the Academic Software Licence: free"
        " for academic, non-commercial research; for other use, ask its owners for a licence."
    )
    Options = GapOptions
    environment = "gap"
    files = ("gp.xml",)
    shares_kernel = True
    replayed = ("start.npy", "start.xml")
    reference = (
        "A. P. Bartók, M. C. Payne, R. Kondor and G. Csányi, Gaussian approximation potentials: the accuracy of quantum"
        " mechanics, without the electrons, Physical Review Letters 104, 136403 (2010)",
        "10.1103/PhysRevLett.104.136403",
        "the potential",
    )
    kernel: Kernel

    @classmethod
    def require(cls) -> None:
        """Look for gap_fit; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.gap.program import find_gap_fit

        find_gap_fit()

    @classmethod
    def noise_bound(cls, options: GapOptions) -> float:
        """Return the upper bound of the noise; see :class:`gapdesign.models.Potential`."""
        return options.bounds.noise[1]

    @classmethod
    def kernel_scales(cls, hyperparameters: Mapping[str, Any]) -> tuple[float, float]:
        """Return the scales that maximise the likelihood; see :class:`gapdesign.models.Potential`."""
        return float(hyperparameters["soap_scale"]), float(hyperparameters["pair_scale"])

    def hyperparameters(
        self,
        frames: Sequence[Atoms],
        isolated: Sequence[Atoms],
        *,
        rng: np.random.Generator,
        tell: Callable[[str], object],
    ) -> dict[str, Any]:
        """Maximise the likelihood; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.gap.optimise import optimise

        found = optimise(
            frames,
            isolated,
            soap=self.kernel.soap,
            kernel=self.kernel.covariance,
            options=self.options,
            rng=rng,
            tell=tell,
        )
        tell(f"log likelihood {found.log_likelihood:.2f} after {found.evaluations} evaluations by {found.optimizer}")
        tell(f"{found.points} of {found.environments} distinct environments will be points of the potential")
        tell(
            "at the end of each start: " + ", ".join("failed" if end is None else f"{end:.2f}" for end in found.starts)
        )
        if found.at_bound:
            tell(f"at a bound, not determined by the data: {', '.join(found.at_bound)}")
        return found.to_json()

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
        """Run gap_fit; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.gap.fit import fit
        from gapdesign.models.gap.hyperparameters import Hyperparameters

        (output,) = outputs
        result = fit(
            frames,
            isolated,
            Hyperparameters.from_json(hyperparameters),
            soap=self.kernel.soap,
            kernel=self.kernel.covariance,
            options=self.options,
            output=output,
            memory=memory,
            tell=tell,
        )
        tell(result.log)
        used = f"{result.energies} energies, {result.forces} forces, {result.virials} virials"
        tell(f"gap_fit used all it was given: {used}")

    @classmethod
    def evaluator(cls, path: Path) -> Evaluate:
        """Load a potential with quippy; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.gap.predict import evaluator

        return evaluator(path)

    @classmethod
    def linear(cls) -> Linear:
        """Return GAPs in common points; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.gap.linear import LINEAR

        return LINEAR

    @classmethod
    def need(cls, at: At) -> Need | None:
        """Return what gap_fit should take; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.gap.costs import Work

        if (expected := Work.expected(at)) is None:
            return None
        work, points = expected
        return Need(work.seconds(points), work.megabytes(points))

    @classmethod
    def seconds(cls, at: At, load: Load) -> Seconds:
        """Return the costs by the measured unit costs; see :class:`gapdesign.models.Potential`."""
        from gapdesign.models.gap.costs import seconds

        return seconds(at, load)
