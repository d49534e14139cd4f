"""The options of MACE: the size of the model, and its training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gapdesign.config.options import Options


class MaceWeightOptions(Options):
    """Weights of the mean squared errors in the loss: of energies and virials per atom, and of components of forces."""

    energies: float = Field(50.0, ge=0, description="Weight of energies, in (eV per atom)^-2.")
    forces: float = Field(10.0, ge=0, description="Weight of forces, in (eV/angstrom)^-2.")
    virials: float = Field(
        1.0, ge=0, description="Weight of virials, in (eV per atom)^-2; of use where labels have any."
    )


class MacePotentialOptions(Options):
    """A MACE model, trained from scratch or from a file on."""

    start: str | None = Field(
        None,
        min_length=1,
        description="File of a model to start from, such as a foundation model, as MACE's training saves it; from"
        " scratch if empty. Its size is kept, so that `channels`, `max_L`, `layers` and `r_cut` have no effect, and the"
        " energies of isolated atoms are replaced by those of the labels. Loading it runs code that it holds, so use"
        " files of people whom you trust.",
    )
    channels: int = Field(16, ge=1, description="Channels, which are features of an atom per component.")
    max_L: int = Field(  # as MACE spells it
        0, ge=0, le=3, description="Largest angular momentum of the features that atoms pass on: 0 for scalars only."
    )
    layers: int = Field(
        2,
        ge=1,
        le=4,
        description="Layers; atoms see one another over as many times `r_cut`, as far as there are atoms.",
    )
    r_cut: float = Field(5.0, gt=0, description="Cut-off of a layer, in angstrom.")
    epochs: int = Field(
        150,
        ge=1,
        description="Most passes over the training data. The learning rate falls to a twentieth until the last.",
    )
    patience: int = Field(
        50, ge=1, description="Passes without a smaller loss of the structures kept back after which training ends."
    )
    batch_size: int = Field(5, ge=1, description="Structures of one step.")
    learning_rate: float = Field(
        0.03, gt=0, description="Learning rate of the first pass. From a file on, try a tenth of the default."
    )
    weights: MaceWeightOptions = Field(MaceWeightOptions(), description="Weights in the loss.")
    validation: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Share of the design that is kept back to choose the pass whose model is kept: at least one"
        " structure, in equal steps over the order of the design. Training does not see it.",
    )
    device: Literal["cpu", "cuda"] = Field(
        "cpu",
        description="Where training runs: on one core, or on a GPU, for which the profile has to ask"
        " ([how](../docs/models.md#mace)). Predictions use a core.",
    )
    dtype: Literal["float64", "float32"] = Field(
        "float64", description="Precision of the training. Predictions are of double precision."
    )
