"""Verbs of the stage rows: the functions of the linear model, and the rows of labels of one shard."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from gapdesign.cli.arguments import add, add_files, add_output, progress, say
from gapdesign.cli.parts.features import Chosen
from gapdesign.config.job import Job
from gapdesign.config.keys import Species
from gapdesign.config.part import At, From, Part
from gapdesign.rows.options import RowsOptions

if TYPE_CHECKING:
    from gapdesign.descriptors import Descriptor


def _memory(at: At) -> int:
    """Return MiB: for the programs, and for the rows of a shard twice, where the sizes of structures are known."""
    from gapdesign.models.base import Load

    load = Load.of_largest(at)
    if load is None:
        return 4000
    rows = 4 * at.study.rows.points * (7 + 3 * load.atoms) * at.study.pools.shard_size
    return max(2000, 1700 + round(2.5 * rows / 2**20))


class RowsPart(Part):
    """Keys that rows depend on."""

    descriptor: Chosen
    species: Species
    zeta: Annotated[int, From(lambda at: at.study.kernel.soap.zeta)]
    rows: RowsOptions

    def describe(self) -> Descriptor:
        """Return the descriptor of environments."""
        from gapdesign.descriptors import Descriptor

        return Descriptor(self.descriptor, None, self.species)


FUNCTIONS = Job(verb="row-functions", rule="rows_functions", stage="rows", reads=RowsPart, memory=4000, minutes=120)
ROWS = Job(verb="rows", rule="rows_shard", stage="rows", reads=RowsPart, memory=_memory, minutes=240)
JOBS = (FUNCTIONS, ROWS)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        FUNCTIONS,
        _functions,
        "choose the functions in which energies are expanded, where a method weighs what labels teach",
        "They are similarities to environments of the pools, chosen without labels.",
    )
    add_files(verb, "--candidates", "all shards of candidates of all pools (.npz)")
    add_output(verb, what="functions to write (.npz)")

    verb = add(
        verbs,
        ROWS,
        _rows,
        "compute the rows of energies, virials and forces of one shard of candidates",
        "example: gapdesign rows --candidates candidates/A/0-1250.npz --functions rows/functions.npz\n"
        "             --output rows/A/0-1250.npz",
    )
    verb.add_argument("--candidates", required=True, type=Path, metavar="FILE", help="shard of candidates (.npz)")
    verb.add_argument("--functions", required=True, type=Path, metavar="FILE", help="functions (.npz)")
    add_output(verb, what="rows to write (.npz)")


def _functions(arguments: argparse.Namespace, part: RowsPart) -> None:
    from ase.data import chemical_symbols

    from gapdesign.descriptors import environments_of
    from gapdesign.descriptors.scaling import evenly
    from gapdesign.rows.functions import RowFunctions
    from gapdesign.shards import in_order
    from gapdesign.structures import read_batch

    paths, tell = arguments.candidates, progress("structures")
    pools = {path.parent: [] for path in paths}
    for path in paths:
        pools[path.parent].append(path)
    ordered = [path for shards in pools.values() for path in in_order(shards)[0]]
    atoms = [read_batch(path).offsets for path in ordered]
    size, whole = sum(len(each) - 1 for each in atoms), sum(int(each[-1]) for each in atoms)
    wanted = max(1, min(size, round(part.rows.sample * len(part.species) * size / whole)))
    member = part.descriptor.member(part.descriptor.options, part.species)
    found = []
    for batch, k in evenly(map(read_batch, ordered), size, wanted):
        found.append(environments_of(member, batch, k))
        tell(len(found), wanted)
    functions = RowFunctions.chosen(found, part.species, part.zeta, part.rows.points)
    functions.write(arguments.output)
    told = ", ".join(f"{len(points)} around {chemical_symbols[z]}" for z, points in functions.points.items())
    say(f"{len(functions)} functions, from {sum(len(numbers) for _, numbers in found)} environments: {told}")


def _rows(arguments: argparse.Namespace, part: RowsPart) -> None:
    from gapdesign.rows.functions import RowFunctions
    from gapdesign.rows.pool import write_rows
    from gapdesign.structures import read_batch

    batch, functions = read_batch(arguments.candidates), RowFunctions.read(arguments.functions)
    descriptor, tell, found = part.describe(), progress("structures"), []
    for k in range(len(batch)):
        found.append(functions.rows(descriptor, batch, k))
        tell(k + 1, len(batch))
    write_rows(arguments.output, found, len(functions))
    say(f"{len(batch)} structures, {sum(map(len, found))} rows of {len(functions)}")
