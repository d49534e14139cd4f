"""Frames that a verb for sets is given, and the verb that chooses from them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from shlex import quote
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from gapdesign.cli.arguments import add, add_memory, say
from gapdesign.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from gapdesign.sets.held import FrameSet

ENGINE = "vasp"
"""Engine whose law gives the costs of labels, if none is named."""


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "pick",
        _pick,
        "choose the frames of a file that are worth most",
        "Writes them as they were read, labels included, with pick_rank, pick_distance (the kernel distance from\n"
        "those before) and pick_frame (the place in the file). Prints the configuration of a study that makes the\n"
        "same pick.\n"
        "\n"
        "example: gapdesign pick frames.xyz 100\n"
        "example: gapdesign pick new.xyz 50 --existing training.xyz > study.yaml\n"
        "example: gapdesign pick frames.xyz --budget-core-hours 200 --engine gpaw",
    )
    verb.add_argument("frames", metavar="FILE", help="file of structures that ASE reads; - for extended XYZ from stdin")
    verb.add_argument("n", type=int, nargs="?", metavar="N", help="number of frames to choose")
    verb.add_argument(
        "--budget-core-hours",
        type=float,
        metavar="H",
        help="in place of N: as many frames as so many core-hours pay for, none that no longer fits",
    )
    verb.add_argument("--engine", metavar="NAME", help="engine that estimates the cost of labels (vasp)")
    verb.add_argument("--cost", metavar="KEY", help="or the name under which frames carry theirs, in core-hours")
    verb.add_argument("--existing", type=Path, metavar="FILE", help="frames that you have already, and need no more")
    verb.add_argument("--method", metavar="NAME", help="method of the choice (greedy_medoids: typical frames first)")
    verb.add_argument("--descriptor", metavar="NAME", help="features to compare by (that of studies: SOAP)")
    verb.add_argument("--per-config-type", action="store_true", help="choose N frames of each config_type")
    verb.add_argument("--seed", type=int, default=0, metavar="SEED", help="for methods that draw (%(default)s)")
    add_memory(verb)
    verb.add_argument(
        "--output", type=Path, default=Path("picked.extxyz"), metavar="FILE", help="file to write (%(default)s)"
    )


def _pick(arguments: argparse.Namespace) -> None:
    import yaml

    from gapdesign.descriptors.kernel import KernelOptions
    from gapdesign.files import write_frames
    from gapdesign.methods import METHODS, default_of_frames
    from gapdesign.notebook.description import options_of
    from gapdesign.sets.pick import DRAWS, configuration, pick

    method = arguments.method or default_of_frames()
    backend = backend_of(arguments)
    if method not in METHODS:
        raise InputError(f"--method {method}: there is no such method; choose from {', '.join(METHODS)}.")
    member = METHODS[method]
    options = member.Options()
    if member.reads_environments(options):
        raise InputError(f"--method {method}: it compares environments, which takes a study; choose another.")
    if member.reads_rows(options):
        raise InputError(
            f"--method {method}: it weighs all labels of a structure, which takes a study; choose another."
        )
    refuse_overwriting(arguments, arguments.frames, arguments.existing)
    given = frames_of(arguments.frames, "FILE")
    existing = None if arguments.existing is None else frames_of(str(arguments.existing), "--existing")
    core_hours = _costs(arguments, given, method)
    if core_hours is None and not 1 <= arguments.n <= len(given):
        raise InputError(f"N: {arguments.n} of the {len(given)} frames in '{given.name}'; ask for 1 to {len(given)}.")
    description = given.description(backend)
    found = pick(
        given,
        arguments.n if core_hours is None else arguments.budget_core_hours,
        description,
        method=method,
        existing=existing,
        is_per_group=arguments.per_config_type,
        core_hours=core_hours,
        seed=arguments.seed,
        memory=arguments.memory,
        progress=say,
    )
    say(given.summary(found.duplicates))
    write_frames(arguments.output, found.frames(given))
    say(f"picked {len(found.places)} by {method} with {backend}: {arguments.output}")
    if found.costs is not None:
        source = f"frames carry {arguments.cost}" if arguments.cost else f"by the law of {arguments.engine or ENGINE}"
        say(
            f"their labels cost {found.costs.sum():.4g} of {arguments.budget_core_hours:g} core-hours ({source},"
            f" {core_hours.min():.2g} to {core_hours.max():.2g} a frame); random picks for as much have"
            f" {found.size_by_chance:.0f} frames"
        )
    if left_out := given.left_out(found.places):
        groups = ", ".join(f"{name} ({count})" for name, count in islice(left_out.items(), 6))
        groups += f" and {len(left_out) - 6} more" if len(left_out) > 6 else ""
        remedy = "; --per-config-type takes N of each" if core_hours is None else ""
        say(f"no frame of these groups, which a model may then not know: {groups}{remedy}")
    (largest, mean), (by_chance, mean_by_chance) = found.covering, found.by_chance
    say(
        f"frames left out are at most {largest:.3f} from the nearest picked, {mean:.3f} on average;"
        f" with random picks {by_chance:.3f} and {mean_by_chance:.3f} (mean of {DRAWS})"
    )
    kernel = options_of(KernelOptions, description["kernel"], "kernel")
    if caution := member.caution(options, kernel, is_priced=core_hours is not None, of_frames=True):
        say(f"note: --method {method}: {caution}")
    if arguments.per_config_type or existing or arguments.frames == "-" or core_hours is not None:
        say(f"next: label {arguments.output}")
    else:
        say(
            f"next: label {arguments.output}; or go on with a study: gapdesign new my-study --frames"
            f" {quote(arguments.frames)}, or, in a clone, what follows as study.yaml"
        )
        print(yaml.safe_dump(configuration(given, arguments.n, description, method), sort_keys=False), end="")


def _costs(arguments: argparse.Namespace, given: FrameSet, method: str) -> np.ndarray | None:
    """Return the core-hours of each frame's label; None if a number of frames is asked for.

    Raises
    ------
    InputError
        If the options do not go together, or the budget pays for no frame.
    """
    from gapdesign.methods import METHODS
    from gapdesign.sets import costs

    budget = arguments.budget_core_hours
    if (arguments.n is None) == (budget is None):
        raise InputError("N: give a number of frames, or --budget-core-hours, and not both.")
    if budget is None:
        if arguments.engine or arguments.cost:
            raise InputError("--engine and --cost go with --budget-core-hours; give that, or leave them out.")
        return None
    if arguments.per_config_type:
        raise InputError("--per-config-type: it takes a number of frames of each; give N in place of core-hours.")
    if not METHODS[method].is_prefix:
        raise InputError(f"--method {method}: it chooses a design as a whole, so no budget can end it; choose another.")
    if arguments.engine and arguments.cost:
        raise InputError("--cost: it takes the place of --engine; give one of them.")
    if arguments.cost:
        found = costs.carried(given, arguments.cost)
    else:
        found = costs.of_engine(given, arguments.engine or ENGINE)
    if budget == float("inf"):
        raise InputError(f"--budget-core-hours {budget:g}: give a number, or N frames without a budget.")
    if not budget >= found.min():
        raise InputError(f"--budget-core-hours {budget:g}: the cheapest frame costs {found.min():.3g}; give more.")
    return found


def backend_of(arguments: argparse.Namespace) -> str:
    """Return the name of the descriptor that a verb compares frames by.

    Raises
    ------
    InputError
        If there is none of this name, or if it takes numbers from the user.
    """
    from gapdesign.descriptors import DESCRIPTORS
    from gapdesign.descriptors.options import DescriptorOptions

    name = arguments.descriptor or DescriptorOptions().backend
    if name not in DESCRIPTORS:
        raise InputError(f"--descriptor {name}: there is no such descriptor; choose from {', '.join(DESCRIPTORS)}.")
    if DESCRIPTORS[name].files_of_structures:
        raise InputError(f"--descriptor {name}: its numbers take a study; choose another one.")
    return name


def refuse_overwriting(arguments: argparse.Namespace, *read: str | Path | None) -> None:
    """Refuse to write to a file that is read.

    Raises
    ------
    InputError
        If one of the verb's outputs is one of these files.
    """
    given = {Path(path).resolve() for path in read if path is not None}
    for name, path in vars(arguments).items():
        if name.startswith("output") and path.resolve() in given:
            raise InputError(f"--{name.replace('_', '-')} {path}: this file is read; write to another one.")


def frames_of(given: str, key: str) -> FrameSet:
    """Read the frames of a file, or of standard input for ``-``."""
    from gapdesign.sets.held import FrameSet

    with file_of(given) as (path, name):
        return FrameSet.of(path, name, key)


@contextmanager
def file_of(given: str) -> Iterator[tuple[Path, str]]:
    """Provide a path to read, and its name for people."""
    if given != "-":
        yield Path(given), given
        return
    with NamedTemporaryFile(suffix=".extxyz") as copy:
        copy.write(sys.stdin.buffer.read())
        copy.flush()
        yield Path(copy.name), "standard input"
