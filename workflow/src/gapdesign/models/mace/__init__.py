"""MACE: message passing neural networks, trained from scratch or from a file on.

Batatia et al., Advances in Neural Information Processing Systems 35 (2022); arXiv:2206.07697.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from gapdesign.descriptors.mace import header
from gapdesign.descriptors.torch_models import refuse_damaged
from gapdesign.errors import InputError
from gapdesign.files import write_bytes, write_csv
from gapdesign.models.base import Load, Potential, Seconds
from gapdesign.models.labels import arrays, energies_of_atoms, kept_back
from gapdesign.models.mace import costs, data, predict, program
from gapdesign.models.mace.options import MacePotentialOptions
from gapdesign.structures import prototypes

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.config.part import At
    from gapdesign.properties.base import Evaluate

LEAST_MEMORY, LEAST_MINUTES = 4000, 240
"""MiB and time limit of a fit whose structures are small, or of sizes that only their labels tell."""

CAUTION = 4
"""Time limit relative to the time that a fit should take."""

_START, _SHARE = "models.mace.start", "models.mace.validation"


class MacePotential(Potential):
    """A MACE model, trained by mace-torch on the labels of a design, a tenth of which chooses when to stop."""

    name = "mace"
    summary = "MACE model by mace-torch, trained from scratch or from a file on, in its own environment"
    title = "MACE model"
    determined = "energies of isolated atoms, scale and mean number of neighbours from that design’s labels"
    Options = MacePotentialOptions
    environment = "mace"
    files = ("mace.model", "training.csv")
    training = "training.csv"
    draws = True
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

    def hyperparameters(
        self,
        frames: Sequence[Atoms],
        isolated: Sequence[Atoms],
        *,
        rng: np.random.Generator,
        tell: Callable[[str], object],
    ) -> dict[str, Any]:
        """Find energies of atoms, and the scale and mean number of neighbours of a model from scratch.

        Keys of the result, besides those of every kind of model (:class:`gapdesign.models.Potential`): ``isolated``
        (eV, by element), ``neighbours`` within ``r_cut`` and ``scale`` (eV), which a model to start from has already
        (None), and the settings that they belong to: ``r_cut`` and ``start``.
        """
        program.require()
        self.check(self.options, self.species)
        return self.statistics(frames, isolated)

    def statistics(self, frames: Sequence[Atoms], isolated: Sequence[Atoms]) -> dict[str, Any]:
        """Return what :meth:`hyperparameters` does, whether mace-torch is installed or not."""
        energies = energies_of_atoms(isolated, self.species)
        labels = arrays(frames)
        kept_back(len(frames), self.options.validation, _SHARE)
        is_new = self.options.start is None
        return {
            "isolated": {chemical_symbols[z]: energy for z, energy in zip(self.species, energies, strict=True)},
            "neighbours": data.mean_neighbours(frames, self.options.r_cut) if is_new else None,
            "scale": data.scale(labels) if is_new else None,
            "noise": None,
            "at_bound": [],
            **self._settings(),
        }

    def _settings(self) -> dict[str, Any]:
        """Return the options that hyperparameters belong to."""
        return {"r_cut": self.options.r_cut, "start": self.options.start}

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
        self.check(self.options, self.species)
        for key, wanted in self._settings().items():
            if hyperparameters.get(key) != wanted:
                raise InputError(
                    f"hyperparameters.json: found for {key} {hyperparameters.get(key)}, but the configuration has"
                    f" {wanted}; run the stage again."
                )
        labels = arrays(frames)
        settings = self.options.model_dump() | {
            "start": self.options.start and str(Path(self.options.start).absolute()),
            "seed": int(rng.integers(2**31)),
            "elements": list(self.species),
            "isolated": [hyperparameters["isolated"][chemical_symbols[z]] for z in self.species],
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
        trained = program.train(settings, labels, tell)
        tell(
            f"epoch {int(trained.epochs['kept'].idxmax())} of {len(trained.epochs) - 1} was kept; an epoch took"
            f" {trained.seconds:.2f} CPU seconds"
        )
        model, table = outputs
        write_bytes(model, trained.model)
        write_csv(table, trained.epochs)

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
    def _work(cls, at: At) -> costs.Work | None:
        """Return the work of a fit; None if it starts from a file, or candidates have other sizes than prototypes."""
        if at.model.options.start is not None or not at.pool.keeps_cells:
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
    def seconds(cls, at: At, load: Load) -> Seconds | None:
        """Return the costs of a core by measured unit costs, unknown for a model to start from and on a GPU.

        See :class:`gapdesign.models.Potential`.
        """
        options = at.model.options
        if options.start is not None or options.device != "cpu":
            return None
        work = costs.Work.expected(load.structures, load.atoms, load.density, options)
        return Seconds(0.0, work.fit(), work.prediction())
