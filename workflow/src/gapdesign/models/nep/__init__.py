"""NEP: neuroevolution potentials, trained by gradients.

Fan et al., Phys. Rev. B 104, 104309 (2021), and J. Chem. Phys. 157, 114801 (2022); for the training by torchnep, Wu et
al., arXiv:2606.19557 (2026).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gapdesign.errors import InputError
from gapdesign.models.base import Load, Need, Seconds
from gapdesign.models.nep import costs, predict, program
from gapdesign.models.nep.options import NepPotentialOptions
from gapdesign.models.shared.labels import arrays, kept_back, neighbours
from gapdesign.models.shared.trainer import Trained, TrainedPotential

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.config.part import At
    from gapdesign.properties.base import Evaluate


class NepPotential(TrainedPotential):
    """A neuroevolution potential, trained by torchnep on the labels of a design; a tenth of it chooses when to stop."""

    name = "nep"
    summary = "neuroevolution potential by torchnep, in its own environment; a file for GPUMD"
    title = "NEP model"
    determined = "energies of isolated atoms from that design’s labels"
    licence = "torchnep and nep-adapters are under the GNU General Public License, version 3."
    Options = NepPotentialOptions
    environment = "nep-train"
    files = ("nep.txt", "training.csv")
    reference = (
        "Z. Fan et al., GPUMD: A package for constructing accurate machine-learned potentials and performing highly"
        " efficient atomistic simulations, The Journal of Chemical Physics 157, 114801 (2022)",
        "10.1063/5.0106617",
        "the models",
    )

    @property
    def settings(self) -> dict[str, Any]:
        """Both cut-offs."""
        return {"r_cut": self.options.r_cut, "r_cut_angular": self.options.r_cut_angular}

    def determine(self, frames: Sequence[Atoms]) -> dict[str, Any]:
        """Find the mean numbers of ``neighbours`` of an atom within both cut-offs."""
        arrays(frames)
        kept_back(len(frames), self.options.validation, program.SHARE)
        counts = [neighbours(frames, r_cut) for r_cut in self.settings.values()]
        if not counts[-1]:
            raise InputError(
                f"models.nep.r_cut_angular: no atom of the design has a neighbour within"
                f" {self.options.r_cut_angular:g} angstrom; raise it."
            )
        return {"neighbours": counts}

    def train(
        self,
        frames: Sequence[Atoms],
        hyperparameters: Mapping[str, Any],
        alone: Mapping[int, float],
        *,
        seed: int,
        memory: int | None,
        tell: Callable[[str], object],
    ) -> Trained:
        """Train a model by torchnep; see :class:`gapdesign.models.shared.trainer.TrainedPotential`."""
        atoms = sum(map(len, frames))
        work = costs.Work(len(frames), atoms / max(1, len(frames)), *hyperparameters["neighbours"], self.options)
        tell(f"all {self.options.epochs} epochs would take about {work.fit():.0f} s and {work.megabytes()} MiB")
        work.require(memory)
        return program.train(frames, self.options, alone, seed=seed, tell=tell)

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
    def need(cls, at: At) -> Need | None:
        """Return what the training should take; see :class:`gapdesign.models.Potential`."""
        if (load := Load.of_largest(at)) is None:
            return None
        work = costs.Work.expected(load, at.model.options)
        return Need(work.fit(), work.megabytes())

    @classmethod
    def seconds(cls, at: At, load: Load) -> Seconds:
        """Return the costs of a core by measured unit costs; see :class:`gapdesign.models.Potential`."""
        work = costs.Work.expected(load, at.model.options)
        return Seconds(0.0, work.fit(), work.prediction())
