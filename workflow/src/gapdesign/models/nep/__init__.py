"""NEP: neuroevolution potentials, trained by gradients.

Fan et al., Phys. Rev. B 104, 104309 (2021), and J. Chem. Phys. 157, 114801 (2022); for the training by torchnep, Wu et
al., arXiv:2606.19557 (2026).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase.data import chemical_symbols

from gapdesign.errors import InputError
from gapdesign.files import write_csv, write_text
from gapdesign.models.base import Load, Potential, Seconds
from gapdesign.models.labels import arrays, energies_of_atoms, kept_back, neighbours
from gapdesign.models.nep import costs, predict, program
from gapdesign.models.nep.options import NepPotentialOptions
from gapdesign.structures import prototypes

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

    from gapdesign.config.part import At
    from gapdesign.properties.base import Evaluate

LEAST_MEMORY, LEAST_MINUTES = 4000, 240
"""MiB and time limit of a fit whose structures are small, or of sizes that only their labels tell."""

CAUTION = 4
"""Time limit relative to the time that a fit should take."""


class NepPotential(Potential):
    """A neuroevolution potential, trained by torchnep on the labels of a design; a tenth of it chooses when to stop."""

    name = "nep"
    summary = "neuroevolution potential by torchnep, in its own environment; a file for GPUMD"
    title = "NEP model"
    determined = "energies of isolated atoms from that design’s labels"
    licence = "torchnep and nep-adapters are under the GNU General Public License, version 3."
    Options = NepPotentialOptions
    environment = "nep-train"
    files = ("nep.txt", "training.csv")
    training = "training.csv"
    draws = True
    reference = (
        "Z. Fan et al., GPUMD: A package for constructing accurate machine-learned potentials and performing highly"
        " efficient atomistic simulations, The Journal of Chemical Physics 157, 114801 (2022)",
        "10.1063/5.0106617",
        "the models",
    )

    def hyperparameters(
        self,
        frames: Sequence[Atoms],
        isolated: Sequence[Atoms],
        *,
        rng: np.random.Generator,
        tell: Callable[[str], object],
    ) -> dict[str, Any]:
        """Find energies of atoms, and numbers of neighbours.

        Keys of the result, besides those of every kind of model (:class:`gapdesign.models.Potential`): ``isolated``
        (eV, by element), ``neighbours`` of an atom within ``r_cut`` and ``r_cut_angular``, and these two.
        """
        program.require()
        return self.statistics(frames, isolated)

    def statistics(self, frames: Sequence[Atoms], isolated: Sequence[Atoms]) -> dict[str, Any]:
        """Return what :meth:`hyperparameters` does, whether torchnep is installed or not."""
        energies = energies_of_atoms(isolated, self.species)
        arrays(frames)
        kept_back(len(frames), self.options.validation, program.SHARE)
        settings = self._settings()
        counts = [neighbours(frames, r_cut) for r_cut in settings.values()]
        if not counts[-1]:
            raise InputError(
                f"models.nep.r_cut_angular: no atom of the design has a neighbour within"
                f" {self.options.r_cut_angular:g} angstrom; raise it."
            )
        return {
            "isolated": {chemical_symbols[z]: energy for z, energy in zip(self.species, energies, strict=True)},
            "neighbours": counts,
            "noise": None,
            "at_bound": [],
            **settings,
        }

    def _settings(self) -> dict[str, Any]:
        """Return the options that hyperparameters belong to."""
        return {"r_cut": self.options.r_cut, "r_cut_angular": self.options.r_cut_angular}

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
        """Train a model, and write it with a table of its epochs; see :class:`gapdesign.models.Potential`."""
        program.require()
        for key, wanted in self._settings().items():
            if hyperparameters.get(key) != wanted:
                raise InputError(
                    f"hyperparameters.json: found for {key} {hyperparameters.get(key)}, but the configuration has"
                    f" {wanted}; run the stage again."
                )
        atoms = sum(map(len, frames))
        work = costs.Work(len(frames), atoms / max(1, len(frames)), *hyperparameters["neighbours"], self.options)
        tell(f"all {self.options.epochs} epochs would take about {work.fit():.0f} s and {work.megabytes()} MiB")
        work.require(memory)
        alone = {z: hyperparameters["isolated"][chemical_symbols[z]] for z in self.species}
        trained = program.train(frames, self.options, alone, seed=int(rng.integers(2**31)), tell=tell)
        tell(
            f"epoch {trained.epochs['epoch'][trained.epochs['kept'].idxmax()]} of {len(trained.epochs)} was kept; an"
            f" epoch took {trained.seconds:.2f} CPU seconds"
        )
        model, table = outputs
        write_text(model, trained.model)
        write_csv(table, trained.epochs)

    @classmethod
    def cutoff(cls, options: NepPotentialOptions) -> float:
        """Return the cut-off of the radial features; see :class:`gapdesign.models.Potential`."""
        return options.r_cut

    @classmethod
    def require(cls) -> None:
        """Look for torchnep and nep-adapters; see :class:`gapdesign.models.Potential`."""
        program.require()

    @classmethod
    def evaluator(cls, path: Path) -> Evaluate:
        """Load a model; see :class:`gapdesign.models.Potential`."""
        return predict.evaluator(Path(path))

    @classmethod
    def _work(cls, at: At) -> costs.Work | None:
        """Return the work of a fit; None if candidates have other sizes than prototypes."""
        if not at.pool.keeps_cells:
            return None
        largest = max(prototypes(at.study.prototypes), key=lambda crystal: len(crystal.atoms)).atoms
        density = len(largest) / largest.get_volume()
        return costs.Work.expected(at.study.budget, len(largest), density, at.model.options)

    @classmethod
    def megabytes(cls, at: At) -> int:
        """Return the MiB of the training; see :class:`gapdesign.models.Potential`."""
        work = cls._work(at)
        return max(LEAST_MEMORY, work.megabytes()) if work else LEAST_MEMORY

    @classmethod
    def minutes(cls, at: At) -> int:
        """Return several times what the training should take; see :class:`gapdesign.models.Potential`."""
        work = cls._work(at)
        return max(LEAST_MINUTES, ceil(CAUTION * work.fit() / 60)) if work else LEAST_MINUTES

    @classmethod
    def seconds(cls, at: At, load: Load) -> Seconds:
        """Return the costs of a core by measured unit costs; see :class:`gapdesign.models.Potential`."""
        work = costs.Work.expected(load.structures, load.atoms, load.density, at.model.options)
        return Seconds(0.0, work.fit(), work.prediction())
