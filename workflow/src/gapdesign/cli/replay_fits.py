"""Verbs of the stage replay after the designs: potentials, their errors, their surface energies."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from gapdesign.cli.arguments import add, add_design, add_files, add_output, progress, say, write_figures
from gapdesign.cli.replay import Core, KindPart, Test, WeightsPart, add_rows, pools
from gapdesign.config.job import Job
from gapdesign.config.keys import Methods
from gapdesign.config.part import From, Part
from gapdesign.errors import InputError
from gapdesign.methods.designs import CORE_HOURS
from gapdesign.prototypes import PrototypeOptions
from gapdesign.replay.options import SurfaceEnergyOptions

IsPriced = Annotated[bool, From(lambda at: at.study.replay.is_priced)]
"""Whether the budgets of the replay are core-hours."""


class ErrorsPart(WeightsPart):
    """Keys that potentials of the replay and their errors depend on, besides rows, labels and start."""

    usual: ClassVar = {"is_priced": False}
    core: Core
    seed: int
    test: Test
    is_priced: IsPriced


class FitPart(ErrorsPart):
    """Keys that the potentials of one design depend on as well."""

    method: Annotated[str, From(lambda at: at.design.method)]
    pool: Annotated[str, From(lambda at: at.design.pool)]


class SurfacesPart(KindPart):
    """Keys that surface energies depend on, besides the potentials."""

    surfaces: Annotated[SurfaceEnergyOptions, From(lambda at: at.study.replay.surfaces)]
    prototype: Annotated[PrototypeOptions, From(lambda at: at.study.prototypes[at.study.replay.surfaces.prototype])]


class ReplayPart(Part):
    """Keys that the tables and figures of the replay depend on, besides the errors."""

    usual: ClassVar = {"is_priced": False}
    methods: Methods
    core: Core
    is_priced: IsPriced


FIT = Job(verb="replay-fit", rule="replay_fit", stage="replay", reads=FitPart, memory=4000, minutes=120)
BOUNDS = Job(verb="replay-bounds", rule="replay_bounds", stage="replay", reads=ErrorsPart, memory=4000, minutes=120)
SURFACES = Job(
    verb="replay-surfaces",
    rule="replay_surfaces",
    stage="replay",
    reads=SurfacesPart,
    memory=2000,
    minutes=240,
)
REPLAY = Job(verb="replay", rule="replay", stage="replay", reads=ReplayPart)
JOBS = (FIT, BOUNDS, SURFACES, REPLAY)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(verbs, FIT, _fit, "fit and test the potentials of one design, for every budget and draw")
    add_design(verb)
    verb.add_argument("--choices", required=True, type=Path, metavar="FILE", help="candidates of the design (.csv)")
    _add_fits(verb)

    verb = add(
        verbs, BOUNDS, _bounds, "fit and test the potentials that are trained on no candidate and on all candidates"
    )
    _add_fits(verb)
    add_files(
        verb, "--costs", "all shards of costs, in folders named after their pools (.npy), if known", may_be_none=True
    )

    verb = add(verbs, SURFACES, _surfaces, "compute surface energies with some potentials of the replay")
    _add_potentials(verb)
    add_output(verb, what="surface energies to write (.csv)")

    verb = add(verbs, REPLAY, _replay, "collect errors and surface energies, and draw them")
    add_files(verb, "--errors", "errors of all potentials (.csv)")
    verb.add_argument("--surfaces", nargs="*", default=[], type=Path, metavar="FILE", help="surface energies (.csv)")
    add_output(verb, "--output-errors", "errors to write (.csv)")
    add_output(verb, "--output-equivalents", "numbers of random structures that give the same error, to write (.csv)")
    add_files(verb, "--output-figures", "figures to write, `errors` and `surface_energies` (.svg, .pdf)")
    verb.add_argument("--output-surfaces", type=Path, metavar="FILE", help="surface energies to write (.csv)")

    verb = add(
        verbs,
        "replay-potential",
        _potential,
        "write a potential of the replay as a file that QUIP, ASE and LAMMPS load",
        "example: gapdesign replay-potential --potential results/si-surfaces/replay/start.xml --budget 100\n"
        "             --errors results/si-surfaces/replay/fits/FPS.csv\n"
        "             --coefficients results/si-surfaces/replay/fits/FPS.npy --output gp.xml",
    )
    _add_potentials(verb)
    verb.add_argument(
        "--budget",
        required=True,
        type=float,
        metavar="N",
        help="number of candidates that it was trained on, or core-hours of their labels",
    )
    verb.add_argument("--draw", type=int, default=0, metavar="N", help="which of several draws (%(default)s)")
    add_output(verb, what="potential to write (.xml)")


def _add_potentials(verb: argparse.ArgumentParser) -> None:
    for flag, what in (
        ("--potential", "potential of the same basis (.xml)"),
        ("--coefficients", "coefficients of some potentials (.npy)"),
        ("--errors", "their errors (.csv)"),
    ):
        verb.add_argument(flag, required=True, type=Path, metavar="FILE", help=what)


def _add_fits(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--start", required=True, type=Path, metavar="FILE", help="common part of all training sets, by replay-start"
    )
    add_rows(verb)
    add_output(verb, what="errors to write (.csv)")
    add_output(verb, "--output-coefficients", "coefficients of the potentials to write (.npy)")


def _fit(arguments: argparse.Namespace, part: FitPart) -> None:
    from gapdesign.files import read_csv

    own = {"design": arguments.design, "method": part.method}
    chosen, places, costs = [], [], []
    for (draw, budget), mine in read_csv(arguments.choices).groupby(["draw", "budget"]):
        chosen.append({part.pool: mine["candidate"].tolist()})
        places.append(own | {"budget": budget, "draw": draw})
        costs += [float(mine[CORE_HOURS].sum())] if CORE_HOURS in mine else []
    _fit_and_test(arguments, part, chosen, places, costs)


def _bounds(arguments: argparse.Namespace, part: ErrorsPart) -> None:
    from gapdesign.replay.labels import Labels
    from gapdesign.replay.testset import test_members

    sizes = {path.stem: len(Labels.read(path).sizes) for path in arguments.labels}
    test = test_members(part.seed, sizes, part.core, part.test)
    candidates = {
        pool: np.setdiff1d(np.arange(size), test.get(pool, ())).tolist()
        for pool, size in sizes.items()
        if pool not in (part.core, part.test)
    }
    known = _costs(arguments.costs) if arguments.costs else {}
    costs = [0.0, sum(float(known[pool][mine].sum()) for pool, mine in candidates.items())] if known else []
    most = costs[-1] if part.is_priced else sum(map(len, candidates.values()))
    places = [
        {"design": "", "method": "none", "budget": 0, "draw": 0},
        {"design": "", "method": "all", "budget": most, "draw": 0},
    ]
    _fit_and_test(arguments, part, [{}, candidates], places, costs)


def _costs(paths: list[Path]) -> dict[str, np.ndarray]:
    """Return the core-hours (N,) of the labels of each pool, from shards in folders named after it."""
    from gapdesign.files import read_array
    from gapdesign.shards import in_order

    folders = {path.parent.name: [other for other in paths if other.parent == path.parent] for path in paths}
    return {pool: np.concatenate(list(map(read_array, in_order(own)[0]))) for pool, own in folders.items()}


def _fit_and_test(
    arguments: argparse.Namespace,
    part: ErrorsPart,
    chosen: list[Mapping[str, list[int]]],
    places: list[dict[str, object]],
    costs: list[float],
) -> None:
    """Fit a potential to each of several training sets, test all on everything, and write both.

    If it is known what the labels of each training set cost, that is the last column of the table.
    """
    import pandas as pd

    from gapdesign.files import write_array, write_csv
    from gapdesign.replay.fits import errors, trainings
    from gapdesign.replay.testset import test_members

    known, start, tell = pools(arguments), part.weights.read(arguments.start), progress("fits")
    found = []
    for number, own in enumerate(trainings(start, known, chosen)):
        found.append(own.coefficients())
        tell(number + 1, len(chosen))
    sizes = {name: len(pool.labels.sizes) for name, pool in known.items()}
    test = test_members(part.seed, sizes, part.core, part.test)
    table = errors(known, part.core, np.array(found), chosen, test)
    numbers = table.pop("number")
    table = pd.concat([pd.DataFrame([places[k] for k in numbers]), table], axis=1)
    if costs:
        table[CORE_HOURS] = [costs[k] for k in numbers]
    write_array(arguments.output_coefficients, np.array(found))
    write_csv(arguments.output, table)
    say(f"{len(chosen)} potentials, tested on {sum(len(pool.labels.sizes) for pool in known.values())} structures")


def _surfaces(arguments: argparse.Namespace, part: SurfacesPart) -> None:
    import pandas as pd

    from gapdesign.files import read_array, write_csv
    from gapdesign.replay.surfaces import surface_energies

    coefficients = read_array(arguments.coefficients)
    energies = surface_energies(
        lambda number: part.linear.calculator(arguments.potential, coefficients[number]),
        _places(arguments),
        prototype=part.prototype,
        options=part.surfaces,
        progress=progress("potentials"),
    )
    write_csv(arguments.output, pd.DataFrame(energies))
    unrelaxed = sum(np.isnan(row["energy"]) for row in energies)
    say(f"{len(energies)} surface energies; {unrelaxed} slabs did not relax")


def _places(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """Return design, method, budget and draw of each potential, in the order of the coefficients."""
    from gapdesign.files import read_csv

    return read_csv(arguments.errors)[["design", "method", "budget", "draw"]].drop_duplicates().to_dict("records")


def _replay(arguments: argparse.Namespace, part: ReplayPart) -> None:
    import pandas as pd

    from gapdesign.files import read_csv, write_csv
    from gapdesign.replay.equivalents import equivalents
    from gapdesign.report.replay_figures import errors_figure, surfaces_figure

    errors = pd.concat([read_csv(path) for path in arguments.errors], ignore_index=True)
    write_csv(arguments.output_errors, errors)
    write_csv(arguments.output_equivalents, equivalents(errors, core=part.core, is_priced=part.is_priced))
    figures = {"errors": errors_figure(errors, part.methods, core=part.core)}
    say(f"{len(errors)} rows of errors")
    if arguments.surfaces:
        surfaces = pd.concat([read_csv(path) for path in arguments.surfaces], ignore_index=True)
        write_csv(arguments.output_surfaces, surfaces)
        figures["surface_energies"] = surfaces_figure(surfaces, part.methods, is_priced=part.is_priced)
    write_figures(arguments.output_figures, figures)


def _potential(arguments: argparse.Namespace) -> None:
    from gapdesign.files import read_array
    from gapdesign.models import MODELS

    kinds = {Path(member.replayed[1]).suffix: member for member in MODELS.values() if member.replayed}
    if arguments.potential.suffix not in kinds:
        known = " or ".join(member.replayed[1] for member in kinds.values())
        raise InputError(f"--potential {arguments.potential}: no replay writes such a file; give its {known}.")
    places = [(place["budget"], place["draw"]) for place in _places(arguments)]
    if (arguments.budget, arguments.draw) not in places:
        known = ", ".join(f"{budget:g} ({draw})" for budget, draw in places)
        raise InputError(
            f"--budget {arguments.budget:g} --draw {arguments.draw}: {arguments.errors} has no such potential; choose a"
            f" budget (draw) from {known}."
        )
    own = read_array(arguments.coefficients)[places.index((arguments.budget, arguments.draw))]
    kinds[arguments.potential.suffix].linear().write(arguments.potential, own, arguments.output)
