"""Verbs of the stage candidates."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from gapdesign.cli.arguments import add, add_config, add_files, add_output, say
from gapdesign.config.job import Job
from gapdesign.config.options import Identifier
from gapdesign.config.part import At, From, Part
from gapdesign.errors import InputError
from gapdesign.inputs.filters import FilterOptions
from gapdesign.prototypes import PrototypeOptions
from gapdesign.samplers.options import Sampling

if TYPE_CHECKING:
    from gapdesign.structures import Batch


class CandidatesPart(Part):
    """Keys that the candidates of a pool depend on."""

    usual: ClassVar = {"kind": None}
    seed: int
    prototypes: dict[Identifier, PrototypeOptions]
    sampling: Annotated[Sampling, From(lambda at: at.pool.sampling)]
    kind: Annotated[str | None, From(lambda at: at.model.kind if at.pool.reads_model else None)]


class FramesPart(Part):
    """Keys that the choice of frames from files depends on."""

    filter: Annotated[FilterOptions, From(lambda at: at.pool.filter)]


CONVERT = Job(verb="convert", rule="candidates_convert", stage="candidates", memory=1000, minutes=120)
FRAMES = Job(verb="frames", rule="candidates_frames", stage="candidates", reads=FramesPart, memory=1000, minutes=60)
CANDIDATES = Job(
    verb="candidates",
    rule="candidates_shard",
    stage="candidates",
    reads=CandidatesPart,
    memory=1000,
    minutes=lambda at: at.pool.minutes,
)
REFUSED = Job(verb="refused", rule="candidates_refused", stage="candidates")
JOBS = (CONVERT, FRAMES, CANDIDATES, REFUSED)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        CANDIDATES,
        _candidates,
        "make one shard of a pool of candidates",
        "example: gapdesign candidates --pool A --start 0 --stop 1250 --output 0-1250.npz",
    )
    verb.add_argument("--pool", required=True, help="name of the pool")
    verb.add_argument("--start", required=True, type=int, help="index of the first candidate")
    verb.add_argument("--stop", required=True, type=int, help="index after the last candidate")
    verb.add_argument("--frames", type=Path, metavar="FILE", help="index of the user's structures in their file (.npy)")
    verb.add_argument(
        "--labelled", type=Path, metavar="FILE", help="labelled design after which the pool is sampled (.extxyz)"
    )
    verb.add_argument("--model", type=Path, metavar="FILE", help="model of that design, if it gives the forces")
    verb.add_argument(
        "--growth",
        type=Path,
        metavar="FILE",
        help="what was found about a pool that grows: if it ended, no candidates are made (.json)",
    )
    add_output(verb, what="shard to write, packed arrays (.npz)")
    verb = add(
        verbs,
        "candidate",
        _candidate,
        "print one candidate as extended XYZ, without making its pool",
        "Candidate i of a pool is a function of (seed, pool, i) alone, so you can always make it again.\n\n"
        "example: gapdesign candidate --pool A --index 4711 > 4711.xyz",
    )
    add_config(verb)
    verb.add_argument("--pool", required=True, help="name of the pool")
    verb.add_argument("--index", required=True, type=int, help="index of the candidate, from 0")

    verb = add(verbs, CONVERT, _convert, "convert files of structures that ASE reads to one of extended XYZ")
    _add_structures(verb, "file in any format that ASE reads; give the option again for each file")
    add_output(verb, what="structures to write (.extxyz)")
    verb = add(verbs, FRAMES, _frames, "index files of structures: find the place of each candidate in them")
    _add_structures(verb, "file of structures; give the option again for each file")
    verb.add_argument("--pool", help="name of the pool")
    verb.add_argument(
        "--converted", type=Path, metavar="FILE", help="those that are not extended XYZ, converted (.extxyz)"
    )
    add_output(verb, what="index to write: begin, end and number of each, and its file (.npy)")
    verb = add(verbs, REFUSED, _refused, "count the draws and refusals of each pool")
    add_files(verb, "--candidates", "all shards of candidates, in folders named after their pools (.npz)")
    add_output(verb, what="table to write (.csv)")


def _add_structures(verb: argparse.ArgumentParser, what: str) -> None:
    verb.add_argument("--structures", required=True, action="append", metavar="FILE", help=what)


def _sample(part: CandidatesPart, arguments: argparse.Namespace, start: int, stop: int, **places: Path | None) -> Batch:
    from gapdesign.prototypes import prototypes
    from gapdesign.samplers import sample

    return sample(
        part.sampling,
        prototypes(part.prototypes),
        seed=part.seed,
        pool=arguments.pool,
        start=start,
        stop=stop,
        **places,
    )


def _candidates(arguments: argparse.Namespace, part: CandidatesPart) -> None:
    from gapdesign.structures import pack, write_batch

    if not 0 <= arguments.start < arguments.stop:
        raise InputError(f"--start {arguments.start} --stop {arguments.stop}: a shard has 0 <= start < stop.")
    if arguments.growth is not None:
        from gapdesign.methods.growth import Growth

        if (found := Growth.read(arguments.growth)).is_wide:
            write_batch(arguments.output, pack([]))
            say(f"no candidates: pool {arguments.pool} is wide enough with {found.size}, and ended there")
            return
    if arguments.labelled is not None:
        part = part.model_copy(
            update={"sampling": part.sampling.knowing(arguments.labelled, part.kind, arguments.model)}
        )
    scratch = arguments.output.with_name(f".{arguments.output.name}.scratch")
    batch = _sample(part, arguments, arguments.start, arguments.stop, scratch=scratch, frames=arguments.frames)
    write_batch(arguments.output, batch)
    shutil.rmtree(scratch, ignore_errors=True)
    say(f"{len(batch)} candidates of pool {arguments.pool}, {int((batch.attempts > 0).sum())} of them drawn again")


def _convert(arguments: argparse.Namespace) -> None:
    from gapdesign.samplers.shared.frames import convert

    convert(arguments.structures, arguments.output)


def _frames(arguments: argparse.Namespace, part: FramesPart) -> None:
    from gapdesign.files import write_array
    from gapdesign.samplers.shared.frames import in_words, index_all

    places = index_all(arguments.structures, arguments.converted, part.filter)
    write_array(arguments.output, places)
    say(f"{len(places)} candidates in {in_words(arguments.structures)}")


def _refused(arguments: argparse.Namespace) -> None:
    from gapdesign.files import write_csv
    from gapdesign.samplers.shared.constraints import count

    write_csv(arguments.output, count(arguments.candidates))


def _candidate(arguments: argparse.Namespace) -> None:
    from ase.io import write

    from gapdesign.config import study as config

    study = config.load(arguments.config)
    if arguments.pool not in study.pools.names:
        raise InputError(f"--pool {arguments.pool}: no such pool; choose from {', '.join(study.pools.names)}.")
    part = CandidatesPart.of(At(study, pool_name=arguments.pool))
    if (after := study.pools.of(arguments.pool).after) is not None:
        raise InputError(
            f"--pool {arguments.pool}: it is sampled after the labels of {after}; its shards are in"
            f" results/{study.study}/candidates/{arguments.pool}."
        )
    size = study.pools.of(arguments.pool).most
    if not 0 <= arguments.index < size:
        raise InputError(f"--index {arguments.index}: pool {arguments.pool} has candidates 0 to {size - 1}.")
    atoms = _sample(part, arguments, arguments.index, arguments.index + 1).annotated(0)
    atoms.info = {"pool": arguments.pool, **atoms.info}
    write(sys.stdout, atoms, format="extxyz")
