"""Texts of the pages: captions, the meaning of every measure, references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapdesign.crossval.forces import SHOWN
from gapdesign.descriptors import DESCRIPTORS
from gapdesign.methods import METHODS
from gapdesign.models import MODELS
from gapdesign.models.options import DEFAULT
from gapdesign.report.words import number

TITLES = {
    "worst": "Worst off-sample 0.99 quantile of each model",
    "distances": "Distances between the members of each design",
    "ranks": "Distance of each rank to the earlier ones",
    "errors": "Errors of every model on every design",
    "parity": "Predicted against reference energies",
    "force_errors": "Errors of forces of every model on every design",
    "force_parity": "Predicted against reference forces",
    "virial_parity": "Predicted against reference virials",
    "training": "Errors on structures kept back, epoch by epoch",
    "learning": "Errors against the number of structures trained on",
    "surfaces": "Errors of surface energies against the number of structures trained on",
    "nearest": "Distance of members to their nearest neighbours, beside random draws",
    "budget": "Every measure against budget, beside random draws",
    "pool": "Every measure against the size of the pool, beside random draws",
    "coverage": "Each design over its pool on two principal components",
}

CAPTIONS = {
    "worst": (
        "Each model at its worst. A row is a model, named by the design it was fitted to; the large dot is "
        "the largest, over all other designs, of the 0.99 quantile of the absolute error of the energy per "
        "atom. Small dots are its other off-sample tests; the upright tick is the fit to its own design."
    ),
    "distances": (
        "How different the members of a design are, before anything was labelled: the squared kernel "
        "distance D² of all pairs, from 0 (overlap: the model cannot tell them apart) to 2 (orthogonal: "
        "one says nothing about the other) (Barzdajn and Race, figure 4)."
    ),
    "ranks": (
        "Kernel distance of each chosen structure to those chosen before it. For a max-min design the "
        "curve can only fall, and shows what the next structure would add. Rank 0 is not drawn."
    ),
    "errors": (
        "Every model (row) on every design (column): error of the energy per atom against the reference. "
        "Heavy frames on the diagonal mark the fit. In each panel: standard deviation | 0.99 quantile of "
        "the absolute error, in meV/atom. All panels share both axes; colour repeats the size of the "
        "error. A dagger marks test sets that share near-duplicates with the training set (Barzdajn and "
        "Race, figure 6)."
    ),
    "parity": (
        "Predicted against reference energy per atom, models in rows and test sets in columns, coloured by "
        "the absolute error in meV/atom on the scale of the error matrix. It gives a sense of proportion, "
        "and shows any fit that went wrong as a whole (Barzdajn and Race, figure 5)."
    ),
    "force_errors": (
        "Every model (row) on every design (column): length of the error of a force against the length of the "
        "reference force, an atom a point. In each panel: root mean square of the components | 0.99 quantile of the "
        "lengths, in meV/Å, of all atoms. Forces that symmetry holds at zero are not drawn; of the others, at most "
        f"{number(SHOWN)} atoms in all panels together, chosen evenly from the smallest error to the largest."
    ),
    "force_parity": (
        "Predicted against reference components of the forces on the same atoms, coloured by the length of the error "
        "in meV/Å on the scale of the figure before."
    ),
    "virial_parity": (
        "Predicted against reference components of the virials per atom, models in rows and test sets in columns, "
        "coloured by the absolute error in meV/atom, up to 1.25 times the largest number of the table above."
    ),
    "training": (
        "The training of each model. Some structures of its design were kept back from it; a dot is the epoch whose "
        "model was kept. A line that still falls at its end asks for more epochs."
    ),
    "learning": (
        "Errors of potentials fitted to the first structures of each design. For designs drawn by chance, the line is "
        "the median of the draws; the band of the random ones holds nine in ten. Vertical bars hold nine in ten of the "
        "errors that other such test sets would give. Where all designs are tested on the same structures, the dotted "
        "and dashed grey lines are the potentials trained on no candidate and on all of them."
    ),
    "surfaces": (
        "Errors of the surface energies of the same potentials, relaxed and unreconstructed, against the reference."
    ),
}

WITH_STRAINS = {
    "distances": (
        "How different the members of a design are, before anything was labelled. Left: the squared kernel "
        "distance D² of all pairs, from 0 (overlap: the model cannot tell them apart) to 2 (orthogonal: "
        "one says nothing about the other). Right, of members that are deformed prototypes: the Frobenius norm of F "
        "minus the identity. Designs that differ on the left and agree on the right were not spread by "
        "pushing the strain (Barzdajn and Race, figure 4)."
    ),
}
"""Captions of the report's figures that have a panel of strains."""

_BAND = "The band holds nine in ten of the random draws, from all pools together, and the thin line is their median. "

BEFORE_LABELS = {
    "nearest": (
        "How far each member of a design is from its nearest neighbour in it. The filled histogram is that of the "
        "random draws, which are as large as the largest design."
    ),
    "distances": (
        "Squared kernel distance D² of all pairs of members, from 0 (overlap: the model cannot tell them apart) to 2 "
        "(orthogonal: one says nothing about the other) (Barzdajn and Race, figure 4)."
    ),
    "budget": (
        "The measures of the table above for the first members of each design, in the order in which they were chosen. "
        + _BAND
        + "Where a line leaves the band, the difference from random designs is more than chance. Covering "
        "distances and posterior deviations are taken over at most as many candidates as quality.sample says."
    ),
    "pool": (
        "The same measures of whole designs chosen from a random half of their pool, a quarter, and so on, measured "
        "against all of it: a curve that has become level says that the pool is large enough (Barzdajn and Race, "
        "section 3.1). "
        + _BAND
        + "For random draws, which are as large as the largest design, the size of the pool makes "
        "no difference beyond chance."
    ),
    "coverage": (
        "Every design over the candidates of its pool (grey), on the two directions in which the pool varies most "
        "under the kernel; in brackets their shares of its variance. Distances on the map are at most the kernel "
        "distances. Blue members were chosen first, orange ones last."
    ),
}
"""Captions of the design page."""

NEAREST_WITH_STRAINS = (
    "How far each member of a design is from its nearest neighbour in it and, for members that are deformed "
    "prototypes, how strongly it is strained: the Frobenius norm of F minus the identity. The filled histogram is that "
    "of the random draws, which are as large as the largest design. A design that is spread by pushing the strain lies "
    "to the right of it in both panels."
)
"""Caption of the figure `nearest` of the design page where it has a panel of strains."""

_PAIRS = (
    "Of so many designs, those of a method are drawn together: rows are the models of a method, columns its designs as "
    "test sets, or a test set without a model. Models on their own designs are left out. "
)

_GATHERED = {
    "errors": (
        "Error of the energy per atom against the reference. " + _PAIRS + "In each panel: standard deviation | 0.99 "
        "quantile of the absolute error, in meV/atom, as geometric means over pairs of a model and a test set. All "
        "panels share both axes; colour repeats the size of the error."
    ),
    "parity": (
        "Predicted against reference energy per atom, coloured by the absolute error in meV/atom on the scale of the "
        "figure before. " + _PAIRS
    ),
    "force_errors": (
        "Length of the error of a force against the length of the reference force, an atom a point. " + _PAIRS + "In "
        "each panel: root mean square of the components | 0.99 quantile of the lengths, in meV/Å, of all atoms, as "
        "geometric means over pairs of a model and a test set. Forces that symmetry holds at zero are not drawn; of "
        f"the others, at most {number(SHOWN)} atoms of all pairs together."
    ),
    "virial_parity": (
        "Predicted against reference components of the virials per atom, coloured by the absolute error in meV/atom. "
        + _PAIRS
    ),
}
"""Captions of figures that differ where designs are many."""

_MEANS, _MEDIANS = (
    f"Of so many designs, those of a method are drawn together: the {what} over them, in a band from the lowest to the"
    " highest."
    for what in ("mean", "median")
)
_THIN = "Of so many designs, those of a method are drawn alike."

_ADDED = {
    "worst": "A dashed line is the geometric mean of a method’s large dots.",
    **dict.fromkeys(("distances", "nearest"), _MEANS),
    **dict.fromkeys(("ranks", "budget", "pool"), _MEDIANS),
    **dict.fromkeys(("training", "constants", "volumes", "dimer", "phonons", "nve"), _THIN),
}
"""What captions of other figures say besides, there."""


def of_many(captions: Mapping[str, str]) -> dict[str, str]:
    """Return captions for a page on which the designs of a method are shown together."""
    return {
        name: _GATHERED.get(name) or " ".join([text.strip(), *([_ADDED[name]] if name in _ADDED else [])])
        for name, text in captions.items()
    }


MEASURES = {
    "size": ("structures", "count", "in the design"),
    "posterior_std_mean": (
        "posterior deviation, mean", "", "over the pool, relative to the prior: 0 known, 1 unknown"
    ),
    "covering_mean": ("covering distance, mean", "", "mean D, environments averaged, from the pool to the design"),
    "covering_radius": ("covering radius", "", "largest D, environments averaged, from the pool to the design"),
    "posterior_std_max": ("posterior deviation, largest", "", "over the pool, relative to the prior"),
    "nearest_min": ("nearest neighbour, smallest", "", "kernel distance D, environments averaged, of the closest pair"),
    "nearest_median": ("nearest neighbour, median", "", "over the members; larger means less repetition"),
    "nearest_mean": ("nearest neighbour, mean", "", "over the members"),
    "overlapping_share": ("overlapping pairs", "share", "pairs with D² below 0.001: paid for twice"),
    "orthogonal_share": ("orthogonal pairs", "share", "pairs with D² above 1.9: too far to interpolate"),
    "log_det": ("log det K", "logarithm", "entropy of the design under the kernel; more is better"),
    "condition": ("condition number of K", "", "large means nearly repeated structures"),
    "label_core_hours": ("cost of the labels, core-hours", "", "estimated before labelling"),
}  # fmt: skip
"""Column of ``quality.csv`` to its label, kind (count, share, logarithm or plain number) and meaning; first those that
predict errors best."""

PARAMETERS = {
    "pair_scale": "pair scale, eV",
    "pair_length": "pair length, Å",
    "soap_scale": "SOAP scale, eV",
    "noise": "noise, eV/atom",
    "noise_force": "noise of forces, eV/Å",
    "noise_virial": "noise of virials, eV/atom",
    "environments": "distinct environments",
    "points": "environments as points",
    "prior": "prior of the smoothest function, eV",
    "smoothness": "power of the roughness in the prior",
    "log_evidence": "log likelihood of all labels",
    "neighbours": "mean number of neighbours",
    "scale": "root mean square of forces, eV/Å",
    "r_cut": "cut-off, Å",
    "log_likelihood": "log likelihood",
    "optimizer": "optimiser",
}

_BARZDAJN = (
    "B. Barzdajn and C. P. Race, Optimal design of experiments in the context of machine-learning "
    "inter-atomic potentials: improving the efficiency and transferability of kernel based methods, "
    "Modelling and Simulation in Materials Science and Engineering 33, 025011 (2025)",
    "10.1088/1361-651x/ada050",
    "the method of this study",
)
_SOAP = (
    "A. P. Bartók, R. Kondor and G. Csányi, On representing chemical environments, Physical Review B 87, 184115 (2013)",
    "10.1103/PhysRevB.87.184115",
    "the descriptor",
)
_KARABIN = (
    "M. Karabin and D. Perez, An entropy-maximization approach to automated training set generation for "
    "interatomic potentials, The Journal of Chemical Physics 153, 094110 (2020)",
    "10.1063/5.0013059",
    "distances from design to design",
)
_REMATCH = (
    "S. De, A. P. Bartók, G. Csányi and M. Ceriotti, Comparing molecules and solids across structural and alchemical "
    "space, Physical Chemistry Chemical Physics 18, 13754 (2016)",
    "10.1039/C6CP00415F",
    "the match of structures by which designs are chosen",
)


def references(configuration: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the works that a study should cite: text, DOI, and what each is cited for."""
    descriptor, designs = configuration.get("descriptor"), configuration.get("designs")
    kernel = configuration.get("kernel")
    parts = designs.values() if isinstance(designs, Mapping) else ()
    methods = dict.fromkeys(part.get("method") for part in parts if isinstance(part, Mapping))
    chosen = [_BARZDAJN, *_models(configuration), _SOAP, _KARABIN]
    chosen += [METHODS[name].reference for name in methods if name in METHODS and METHODS[name].reference]
    chosen += [_REMATCH] if isinstance(kernel, Mapping) and kernel.get("structure") == "rematch" else []
    backend = descriptor.get("backend") if isinstance(descriptor, Mapping) else None
    chosen += [DESCRIPTORS[backend].reference] if backend in DESCRIPTORS and DESCRIPTORS[backend].reference else []
    return chosen


def _models(configuration: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the works behind the kinds of models."""
    kinds = configuration.get("models") or [(configuration.get("model") or {}).get("kind", DEFAULT)]
    return [MODELS[kind].reference for kind in kinds if kind in MODELS and MODELS[kind].reference]
