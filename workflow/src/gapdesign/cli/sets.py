"""Frames that a verb for sets is given, and the verb that chooses from them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from gapdesign.cli.arguments import add, add_memory, say
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.sets.held import FrameSet


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
        "example: gapdesign pick new.xyz 50 --existing training.xyz > study.yaml",
    )
    verb.add_argument("frames", metavar="FILE", help="file of structures that ASE reads; - for extended XYZ from stdin")
    verb.add_argument("n", type=int, metavar="N", help="number of frames to choose")
    verb.add_argument("--existing", type=Path, metavar="FILE", help="frames that you have already, and need no more")
    verb.add_argument("--method", metavar="NAME", help="method of the choice (max-min, which is exact)")
    verb.add_argument("--descriptor", metavar="NAME", help="features to compare by (that of studies: SOAP)")
    verb.add_argument("--per-config-type", action="store_true", help="choose N frames of each config_type")
    verb.add_argument("--seed", type=int, default=0, metavar="SEED", help="for methods that draw (%(default)s)")
    add_memory(verb)
    verb.add_argument(
        "--output", type=Path, default=Path("picked.extxyz"), metavar="FILE", help="file to write (%(default)s)"
    )


def _pick(arguments: argparse.Namespace) -> None:
    import yaml

    from gapdesign.files import write_frames
    from gapdesign.methods import METHODS, certified
    from gapdesign.sets.pick import DRAWS, configuration, pick

    method = arguments.method or certified()
    backend = backend_of(arguments)
    if method not in METHODS:
        raise InputError(f"--method {method}: there is no such method; choose from {', '.join(METHODS)}.")
    if METHODS[method].reads_environments(METHODS[method].Options()):
        raise InputError(f"--method {method}: it compares environments, which takes a study; choose another.")
    refuse_overwriting(arguments, arguments.frames, arguments.existing)
    given = frames_of(arguments.frames, "FILE")
    existing = None if arguments.existing is None else frames_of(str(arguments.existing), "--existing")
    if not 1 <= arguments.n <= len(given):
        raise InputError(f"N: {arguments.n} of the {len(given)} frames in '{given.name}'; ask for 1 to {len(given)}.")
    description = given.description(backend)
    found = pick(
        given,
        arguments.n,
        description,
        method=method,
        existing=existing,
        is_per_group=arguments.per_config_type,
        seed=arguments.seed,
        memory=arguments.memory,
        progress=say,
    )
    say(given.summary(found.duplicates))
    if not len(found.places):
        raise InputError(f"--existing: '{existing.name}' has all that is in '{given.name}'; nothing is left to choose.")
    write_frames(arguments.output, found.frames(given))
    say(f"picked {len(found.places)} by {method} with {backend}: {arguments.output}")
    if left_out := given.left_out(found.places):
        groups = ", ".join(f"{name} ({count})" for name, count in islice(left_out.items(), 6))
        groups += f" and {len(left_out) - 6} more" if len(left_out) > 6 else ""
        say(f"no frame of these groups, which a model may then not know: {groups}; --per-config-type takes N of each")
    (largest, mean), (by_chance, mean_by_chance) = found.covering, found.by_chance
    say(
        f"frames left out are at most {largest:.3f} from the nearest picked, {mean:.3f} on average;"
        f" with random picks {by_chance:.3f} and {mean_by_chance:.3f} (mean of {DRAWS})"
    )
    if arguments.per_config_type or existing or arguments.frames == "-":
        say(f"next: label {arguments.output}")
    else:
        say(f"next: label {arguments.output}; or save what follows as study.yaml, and run")
        say("snakemake design --configfile study.yaml")
        print(yaml.safe_dump(configuration(given, arguments.n, description, method), sort_keys=False), end="")


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
