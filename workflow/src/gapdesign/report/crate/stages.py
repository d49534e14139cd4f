"""What the stages of a study leave, in words for an archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """What a stage leaves.

    Attributes
    ----------
    title, text : str
        What the stage did.
    reads : tuple of str
        Patterns of the files that it reads, with the ``{folder}`` of its kind of model.
    files : dict
        Descriptions of its files by their places, which may have a ``{design}`` and ``*``.
    always : tuple of str
        The places that a finished stage has.
    """

    title: str
    text: str
    reads: tuple[str, ...]
    files: Mapping[str, str]
    always: tuple[str, ...]


SHARED = {
    "design": Step(
        "Choice of structures",
        "Chooses the structures of every design from the candidates, before any of them is labelled.",
        (),
        {
            "candidates.csv": "Candidates that were refused",
            "designs/{design}.extxyz": "Structures of {design}, in the order of their choice",
            "designs/polished/{design}.json": "What polishing raised in {design}",
            "quality.csv": "Measures of the designs that are known before any label",
            "quality/*.csv": "Curves, members, maps and groups behind the page of the designs",
            "design.html": "The designs on one page",
            "design-map.html": "Pools and designs on a map, with their structures",
        },
        ("designs/{design}.extxyz", "quality.csv", "design.html"),
    ),
    "labels": Step(
        "Labels",
        "Computes or reads the reference energy, forces and virial of every chosen structure.",
        ("designs/*",),
        {
            "labels/{design}.extxyz": "Structures of {design} with reference energies, forces and virials",
            "labels/isolated.extxyz": "Isolated atoms with their reference energies",
            "labels/engine.json": "Program that labelled, its version and settings",
            "labels/failed.csv": "Structures without a label, and why",
            "labels/suspicions.csv": "What makes labels doubtful",
        },
        ("labels/{design}.extxyz", "labels/isolated.extxyz", "labels/failed.csv"),
    ),
}
"""The stages that all kinds of models share."""

OF_KIND = {
    "models": Step(
        "Fits",
        "Fits a model to each labelled design.",
        ("labels/*.extxyz",),
        {
            "models/{design}/hyperparameters.json": "Hyperparameters of the model of {design}",
            "models/{design}/*": "Model fitted to {design}",
        },
        ("models/{design}/hyperparameters.json",),
    ),
    "crossval": Step(
        "Cross-validation",
        "Predicts every design by every model.",
        ("labels/*.extxyz", "{folder}models/*"),
        {
            "crossval/errors.csv": "Errors of every model on every design",
            "crossval/errors_by_group.csv": "Errors by config_type and by element",
            "crossval/predictions.csv": "Predicted and reference energies and virials of every structure",
            "crossval/forces.csv": "Predicted and reference forces of a sample of atoms",
            "crossval/duplicates.csv": "Structures that two designs nearly share",
            "crossval/bootstrap.csv": "Uncertainty of the errors",
            "crossval/models/{design}.npz": "Forces of all atoms by the model of {design}",
            "properties.csv": "Properties of crystals by the models and by the reference",
        },
        ("crossval/errors.csv", "crossval/predictions.csv"),
    ),
    "report": Step(
        "Report",
        "Compares the designs by their models.",
        (
            *("candidates.csv", "designs/*", "quality.csv", "labels/*"),
            *("{folder}models/*.json", "{folder}crossval/*.csv", "*crossval/errors.csv", "{folder}properties.csv"),
        ),
        {
            "report.html": "The study on one page, with all figures and their data",
            "report-map.html": "Pools and designs on a map, with the errors of the models",
            "headline.txt": "The result in one sentence",
            "estimate.json": "Estimated cost of the stages",
            "provenance.json": "Versions, seed, configuration and checksums",
        },
        ("report.html", "provenance.json"),
    ),
}
"""The stages that each kind of model has by itself."""
