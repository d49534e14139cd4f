"""Verbs of the stages hyperparameters and model."""

from __future__ import annotations

import argparse
from math import ceil
from pathlib import Path

import numpy as np

from gapdesign.cli.arguments import add, add_output, say
from gapdesign.cli.parts import AverageKernel, Soap
from gapdesign.config.job import Job
from gapdesign.config.part import At, Part
from gapdesign.models.gap.costs import Work
from gapdesign.models.gap.options import ModelOptions


class FitPart(Part):
    """Keys that a potential depends on, besides its labels and hyperparameters."""

    soap: Soap
    kernel: AverageKernel
    model: ModelOptions


class HyperparameterPart(FitPart):
    """Keys that hyperparameters depend on, besides the labels."""

    seed: int


LEAST_MEMORY, LEAST_MINUTES = 4000, 240
"""MiB and time limit of a fit whose structures are small, or of sizes that only their labels tell."""

CAUTION = 4
"""Time limit relative to the time that a fit should take."""


def _memory(at: At) -> int:
    """Return the MiB that a fit asks for."""
    expected = Work.expected(at)
    return max(LEAST_MEMORY, expected[0].megabytes(expected[1])) if expected else LEAST_MEMORY


def _minutes(at: At) -> int:
    """Return the time limit of a fit."""
    expected = Work.expected(at)
    return max(LEAST_MINUTES, ceil(CAUTION * expected[0].seconds(expected[1]) / 60)) if expected else LEAST_MINUTES


HYPERPARAMETERS = Job(
    verb="hyperparameters",
    rule="hyperparameters",
    stage="hyperparameters",
    reads=HyperparameterPart,
    memory=2000,
    minutes=120,
    works_on="labels/{design}.extxyz",
)
FIT = Job(
    verb="fit",
    rule="models_fit",
    stage="models",
    reads=FitPart,
    memory=_memory,
    minutes=_minutes,
    works_on="labels/{design}.extxyz",
)
JOBS = (HYPERPARAMETERS, FIT)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        HYPERPARAMETERS,
        _hyperparameters,
        "find the hyperparameters that maximise the likelihood of the energies of a design",
        "These are the scales and lengths of the kernels, and the noise; `model.optimizer` sets the optimiser.",
    )
    _add_data(verb)
    add_output(verb, what="hyperparameters to write (.json)")

    verb = add(
        verbs,
        FIT,
        _fit,
        "fit a Gaussian approximation potential to a labelled design",
        "Runs gap_fit with energies, forces and virials, and checks that it used all of them.",
    )
    _add_data(verb)
    verb.add_argument("--hyperparameters", required=True, type=Path, metavar="FILE", help="hyperparameters (.json)")
    verb.add_argument(
        "--memory", type=int, metavar="MIB", help="memory that the fit may use, in MiB; one that needs more is refused"
    )
    add_output(verb, what="potential to write (.xml)")


def _add_data(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--labels", required=True, type=Path, metavar="FILE", help="labelled design (.extxyz)")
    verb.add_argument("--isolated", required=True, type=Path, metavar="FILE", help="labelled isolated atoms (.extxyz)")


def _hyperparameters(arguments: argparse.Namespace, part: HyperparameterPart) -> None:
    from gapdesign.files import read_frames, write_json
    from gapdesign.models.gap.optimise import optimise
    from gapdesign.streams import stream

    found = optimise(
        read_frames(arguments.labels),
        read_frames(arguments.isolated),
        soap=part.soap,
        kernel=part.kernel,
        options=part.model,
        rng=np.random.Generator(stream(f"{part.seed}/hyperparameters/{arguments.labels.stem}")),
    )
    write_json(arguments.output, found.to_json())
    say(f"log likelihood {found.log_likelihood:.2f} after {found.evaluations} evaluations by {found.optimizer}")
    say(f"{found.points} of {found.environments} distinct environments will be points of the potential")
    say("at the end of each start: " + ", ".join("failed" if end is None else f"{end:.2f}" for end in found.starts))
    if found.at_bound:
        say(f"at a bound, not determined by the data: {', '.join(found.at_bound)}")


def _fit(arguments: argparse.Namespace, part: FitPart) -> None:
    from gapdesign.files import read_frames, read_json
    from gapdesign.models.gap.fit import fit
    from gapdesign.models.gap.hyperparameters import Hyperparameters

    result = fit(
        read_frames(arguments.labels),
        read_frames(arguments.isolated),
        Hyperparameters.from_json(read_json(arguments.hyperparameters)),
        soap=part.soap,
        kernel=part.kernel,
        options=part.model,
        output=arguments.output,
        memory=arguments.memory,
        tell=say,
    )
    say(result.log)
    say(f"gap_fit used all it was given: {result.energies} energies, {result.forces} forces, {result.virials} virials")
