"""MACE: message passing neural networks, trained from scratch or from a file on.

Batatia et al., Advances in Neural Information Processing Systems 35 (2022); arXiv:2206.07697.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase.data import chemical_symbols

from gapdesign.descriptors.mace import header
from gapdesign.descriptors.torch_models import refuse_damaged
from gapdesign.errors import InputError
from gapdesign.models.base import Load, Need, Seconds
from gapdesign.models.mace import costs, data, predict, program
from gapdesign.models.mace.options import MacePotentialOptions
from gapdesign.models.shared.labels import arrays, kept_back
from gapdesign.models.shared.trainer import Trained, TrainedPotential

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.config.part import At
    from gapdesign.properties.base import Evaluate

_START, _SHARE = "models.mace.start", "models.mace.validation"


class MacePotential(TrainedPotential):
    """A MACE model, trained by mace-torch on the labels of a design, a tenth of which chooses when to stop."""

    name = "mace"
    summary = "MACE model by mace-torch, trained from scratch or from a file on, in its own environment"
    title = "MACE model"
    determined = "energies of isolated atoms, scale and mean number of neighbours from that design’s labels"
    Options = MacePotentialOptions
    environment = "mace"
    files = ("mace.model", "training.csv")
    reference = (
        "I. Batatia et al., MACE: Higher Order Equivariant Message Passing Neural Networks for Fast and Accurate Force"
        " Fields, Advances in Neural Information Processing Systems 35 (2022)",
        "10.48550/arXiv.2206.07697",
        "the models",
    )

    @classmethod
    def check(cls, options: MacePotentialOptions, species: Sequence[int]) -> None:
        """Check the model to start from: its file, kind and elements; see :class:`gapdesign.models.Potential`."""
        if options.start is None:
            return
        found = header(options.start, _START)
        missing = [chemical_symbols[z] for z in species if z not in found.elements]
        if missing:
            raise InputError(f"{_START}: '{options.start}' knows no {missing[0]}; name another model.")
        if len(found.heads) > 1:
            raise InputError(
                f"{_START}: '{options.start}' has {len(found.heads)} heads ({', '.join(found.heads)}); take one of them"
                " out with `mace_select_head`, and name the file that it writes."
            )
        refuse_damaged(options.start, _START)

    @classmethod
    def inputs(cls, options: MacePotentialOptions) -> tuple[str, ...]:
        """Return the model to start from; see :class:`gapdesign.models.Potential`."""
        return () if options.start is None else (options.start,)

    @property
    def settings(self) -> dict[str, Any]:
        """The cut-off and the model to start from."""
        return {"r_cut": self.options.r_cut, "start": self.options.start}

    def determine(self, frames: Sequence[Atoms]) -> dict[str, Any]:
        """Find the mean number of ``neighbours`` within ``r_cut`` and the ``scale`` (eV) of a model from scratch.

        A model to start from has both already (None).
        """
        labels = arrays(frames)
        kept_back(len(frames), self.options.validation, _SHARE)
        is_new = self.options.start is None
        return {
            "neighbours": data.mean_neighbours(frames, self.options.r_cut) if is_new else None,
            "scale": data.scale(labels) if is_new else None,
        }

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
        """Train a model by mace-torch; see :class:`gapdesign.models.shared.trainer.TrainedPotential`."""
        labels = arrays(frames)
        settings = self.options.model_dump() | {
            "start": self.options.start and str(Path(self.options.start).absolute()),
            "seed": seed,
            "elements": list(alone),
            "isolated": list(alone.values()),
            "neighbours": hyperparameters["neighbours"],
            "scale": hyperparameters["scale"],
            "virials": bool(labels["has_virial"].any()),
            "validation": kept_back(len(frames), self.options.validation, _SHARE),
        }
        if self.options.start is None:
            work = costs.Work(len(frames), len(labels["numbers"]) / len(frames), settings["neighbours"], self.options)
            tell(f"all {self.options.epochs} epochs would take about {work.fit():.0f} s and {work.megabytes()} MiB")
            if self.options.device == "cpu":
                work.require(memory)
        return program.train(settings, labels, tell)

    @classmethod
    def cutoff(cls, options: MacePotentialOptions) -> float | None:
        """Return the cut-off of a layer, if it is new; see :class:`gapdesign.models.Potential`."""
        return options.r_cut if options.start is None else None

    @classmethod
    def require(cls) -> None:
        """Look for mace-torch; see :class:`gapdesign.models.Potential`."""
        program.require()

    @classmethod
    def evaluator(cls, path: Path) -> Evaluate:
        """Load a model; see :class:`gapdesign.models.Potential`."""
        return predict.evaluator(Path(path))

    @classmethod
    def need(cls, at: At) -> Need | None:
        """Return what a training from scratch should take; see :class:`gapdesign.models.Potential`."""
        if at.model.options.start is not None or (load := Load.of_largest(at)) is None:
            return None
        work = costs.Work.expected(load, at.model.options)
        return Need(work.fit(), work.megabytes())

    @classmethod
    def seconds(cls, at: At, load: Load) -> Seconds | None:
        """Return the costs of a core by measured unit costs, unknown for a model to start from and on a GPU.

        See :class:`gapdesign.models.Potential`.
        """
        options = at.model.options
        if options.start is not None or options.device != "cpu":
            return None
        work = costs.Work.expected(load, options)
        return Seconds(0.0, work.fit(), work.prediction())
