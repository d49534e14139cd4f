"""Verbs of the stages hyperparameters and models."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from gapdesign.cli.arguments import add, add_files, add_kind, add_output, say
from gapdesign.config.job import Job
from gapdesign.config.keys import AverageKernel, Soap, Species
from gapdesign.config.part import At, From, Part
from gapdesign.models.options import ChosenModel

if TYPE_CHECKING:
    from gapdesign.models import Potential


class SharedKernelPart(Part):
    """The kernel by which designs are chosen."""

    soap: Soap
    covariance: AverageKernel


def _kernel(at: At) -> SharedKernelPart | None:
    return SharedKernelPart.of(at) if at.model.member.shares_kernel else None


class HyperparameterPart(Part):
    """Keys that hyperparameters depend on, besides the labels."""

    model: Annotated[ChosenModel, From(lambda at: at.model)]
    species: Species
    kernel: Annotated[SharedKernelPart | None, From(_kernel)]
    seed: int

    def make(self) -> Potential:
        """Return the kind of model with its options."""
        from gapdesign.models.base import Kernel

        kernel = None if self.kernel is None else Kernel(self.kernel.soap, self.kernel.covariance)
        return self.model.member(self.model.options, self.species, kernel)


class FitPart(HyperparameterPart):
    """Keys that a model depends on, besides its labels and hyperparameters; the seed where it draws."""

    seed: Annotated[int | None, From(lambda at: at.study.seed if at.model.member.draws else None)]


HYPERPARAMETERS = Job(
    verb="hyperparameters",
    rule="hyperparameters",
    stage="hyperparameters",
    reads=HyperparameterPart,
    memory=lambda at: at.model.member.search_megabytes(at),
    minutes=120,
    works_on="labels/{design}.extxyz",
)
FIT = Job(
    verb="fit",
    rule="models_fit",
    stage="models",
    reads=FitPart,
    memory=lambda at: at.model.member.megabytes(at),
    minutes=lambda at: at.model.member.minutes(at),
    threads=lambda at: at.model.member.threads,
    works_on="labels/{design}.extxyz",
)
JOBS = (HYPERPARAMETERS, FIT)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        HYPERPARAMETERS,
        _hyperparameters,
        "find what the labels of a design determine before the fit of its model",
        "For a Gaussian process these are the scales and lengths of the kernels, and the noise, by maximum likelihood.",
    )
    _add_data(verb)
    add_output(verb, what="hyperparameters to write (.json)")

    verb = add(
        verbs,
        FIT,
        _fit,
        "fit a model to a labelled design",
        "Fits energies, forces and virials, and checks that all of them were used.",
    )
    _add_data(verb)
    verb.add_argument("--hyperparameters", required=True, type=Path, metavar="FILE", help="hyperparameters (.json)")
    verb.add_argument(
        "--memory", type=int, metavar="MIB", help="memory that the fit may use, in MiB; one that needs more is refused"
    )
    add_files(verb, "--output", "files of the model to write; for a GAP one, gp.xml")


def _add_data(verb: argparse.ArgumentParser) -> None:
    add_kind(verb, None)
    verb.add_argument("--labels", required=True, type=Path, metavar="FILE", help="labelled design (.extxyz)")
    verb.add_argument("--isolated", required=True, type=Path, metavar="FILE", help="labelled isolated atoms (.extxyz)")


def _stream(seed: int | None, stage: str, design: str) -> np.random.Generator:
    from gapdesign.streams import stream

    return np.random.Generator(stream(f"{seed}/{stage}/{design}"))


def _hyperparameters(arguments: argparse.Namespace, part: HyperparameterPart) -> None:
    from gapdesign.files import read_frames, write_json

    found = part.make().hyperparameters(
        read_frames(arguments.labels),
        read_frames(arguments.isolated),
        rng=_stream(part.seed, "hyperparameters", arguments.labels.stem),
        tell=say,
    )
    write_json(arguments.output, found)


def _fit(arguments: argparse.Namespace, part: FitPart) -> None:
    from gapdesign.errors import InputError
    from gapdesign.files import read_frames, read_json

    model = part.make()
    if len(arguments.output) != len(model.files):
        raise InputError(
            f"--output: a model of the kind '{model.name}' has {len(model.files)} files, {', '.join(model.files)};"
            " name each, in this order."
        )
    model.fit(
        read_frames(arguments.labels),
        read_frames(arguments.isolated),
        read_json(arguments.hyperparameters),
        arguments.output,
        rng=_stream(part.seed, "models", arguments.labels.stem),
        memory=arguments.memory,
        tell=say,
    )
