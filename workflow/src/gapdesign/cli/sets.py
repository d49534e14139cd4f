"""Verbs for sets of frames, without a study."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile

from gapdesign.cli.arguments import add, add_memory, say
from gapdesign.errors import InputError


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

    from gapdesign.descriptors import DESCRIPTORS
    from gapdesign.descriptors.options import DescriptorOptions
    from gapdesign.files import write_frames
    from gapdesign.methods import METHODS
    from gapdesign.sets.held import FrameSet
    from gapdesign.sets.pick import DRAWS, configuration, pick

    method = arguments.method or next(name for name, member in METHODS.items() if member.is_certified)
    backend = arguments.descriptor or DescriptorOptions().backend
    for flag, name, family in (("method", method, METHODS), ("descriptor", backend, DESCRIPTORS)):
        if name not in family:
            raise InputError(f"--{flag} {name}: there is no such {flag}; choose from {', '.join(family)}.")
    if METHODS[method].reads_environments(METHODS[method].Options()):
        raise InputError(f"--method {method}: it compares environments, which takes a study; choose another.")
    if DESCRIPTORS[backend].files_of_structures:
        raise InputError(f"--descriptor {backend}: its numbers take a study; choose another one.")
    for path in (arguments.frames, arguments.existing):
        if path is not None and Path(path).resolve() == arguments.output.resolve():
            raise InputError(f"--output {arguments.output}: this file is read; write to another one.")
    with _file(arguments.frames) as (path, name):
        given = FrameSet.of(path, name, "FILE")
    existing = None
    if arguments.existing is not None:
        existing = FrameSet.of(arguments.existing, str(arguments.existing), "--existing")
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


@contextmanager
def _file(given: str) -> Iterator[tuple[Path, str]]:
    """Provide a path to read, and its name for people."""
    if given != "-":
        yield Path(given), given
        return
    with NamedTemporaryFile(suffix=".extxyz") as copy:
        copy.write(sys.stdin.buffer.read())
        copy.flush()
        yield Path(copy.name), "standard input"
