"""The options of neuroevolution potentials: the size of the model, and its training."""

from __future__ import annotations

from pydantic import Field, model_validator

from gapdesign.config.options import Options


class NepWeightOptions(Options):
    """Weights of the mean squared errors in the loss: of energies and virials per atom, and of components of forces."""

    energies: float = Field(5.0, ge=0, description="Weight of energies, in (eV per atom)^-2.")
    forces: float = Field(
        1.0, gt=0, description="Weight of forces, in (eV/angstrom)^-2; above 0, since virials are trained with them."
    )
    virials: float = Field(
        0.3, ge=0, description="Weight of virials, in (eV per atom)^-2; of use where labels have any."
    )


class NepPotentialOptions(Options):
    """A neuroevolution potential, trained from scratch."""

    r_cut: float = Field(6.0, gt=0, description="Cut-off of the radial features, in angstrom.")
    r_cut_angular: float = Field(
        5.0, gt=0, description="Cut-off of the angular features, in angstrom; at most `r_cut`."
    )
    n_max: int = Field(6, ge=0, le=8, description="Radial functions of each kind of feature, less one.")
    basis_size: int = Field(8, ge=0, le=12, description="Polynomials that each of them is made of, less one.")
    l_max: int = Field(4, ge=1, le=8, description="Largest angular momentum of the features of three bodies.")
    neurons: int = Field(30, ge=1, le=119, description="Neurons of the one layer of the network of each element.")
    epochs: int = Field(
        150,
        ge=2,
        description="Most passes over the training data. The learning rate falls to a twentieth until the last.",
    )
    patience: int = Field(
        50, ge=1, description="Passes without a smaller loss of the structures kept back after which training ends."
    )
    batch_size: int = Field(5, ge=1, description="Structures of one step.")
    learning_rate: float = Field(0.01, gt=0, description="Learning rate of the first pass.")
    weights: NepWeightOptions = Field(NepWeightOptions(), description="Weights in the loss.")
    validation: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Share of the design that is kept back to choose the pass whose model is kept: at least one"
        " structure, in equal steps over the order of the design. Training does not see it.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> NepPotentialOptions:
        if self.r_cut_angular > self.r_cut:
            raise ValueError(f"r_cut_angular {self.r_cut_angular:g} is above r_cut {self.r_cut:g}; lower it")
        return self
