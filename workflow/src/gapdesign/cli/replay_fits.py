"""Verbs of the stage replay, from the designs on: potentials, their errors, their surface energies."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gapdesign.cli.arguments import (
    add,
    add_config,
    add_design,
    add_files,
    add_output,
    choose,
    progress,
    say,
    write_figures,
)
from gapdesign.cli.replay import add_rows, pools, sigmas
from gapdesign.config import study as config
from gapdesign.errors import InputError


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(verbs, "replay-fit", _fit, "fit and test the potentials of one design, for every budget and draw")
    add_config(verb)
    add_design(verb)
    verb.add_argument("--choices", required=True, type=Path, metavar="FILE", help="candidates of the design (.csv)")
    _add_fits(verb)

    verb = add(verbs, "replay-bounds", _bounds, "fit and test the potentials of no candidate and of all candidates")
    add_config(verb)
    _add_fits(verb)

    verb = add(verbs, "replay-surfaces", _surfaces, "compute surface energies with some potentials of the replay")
    add_config(verb)
    _add_potentials(verb)
    add_output(verb, what="surface energies to write (.csv)")

    verb = add(verbs, "replay", _replay, "collect errors and surface energies, and draw them")
    add_config(verb)
    add_files(verb, "--errors", "errors of all potentials (.csv)")
    verb.add_argument("--surfaces", nargs="*", default=[], type=Path, metavar="FILE", help="surface energies (.csv)")
    add_output(verb, "--output-errors", "errors to write (.csv)")
    add_output(verb, "--output-equivalents", "how many random structures buy the same, to write (.csv)")
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
    verb.add_argument("--budget", required=True, type=int, metavar="N", help="candidates that it was trained on")
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
    verb.add_argument("--factor", required=True, type=Path, metavar="FILE", help="what all have in common (.npy)")
    add_rows(verb)
    add_output(verb, what="errors to write (.csv)")
    add_output(verb, "--output-coefficients", "coefficients of the potentials to write (.npy)")


def _fit(arguments: argparse.Namespace) -> None:
    from gapdesign.files import read_csv

    study = config.load(arguments.config)
    design = choose(arguments.design, study.designs)
    own = {"design": arguments.design, "method": design.method}
    chosen, places = [], []
    for (draw, budget), mine in read_csv(arguments.choices).groupby(["draw", "budget"]):
        chosen.append({design.pool: mine["candidate"].tolist()})
        places.append(own | {"budget": budget, "draw": draw})
    _fit_and_test(study, arguments, chosen, places)


def _bounds(arguments: argparse.Namespace) -> None:
    from gapdesign.replay.labels import Labels

    study = config.load(arguments.config)
    sizes = {path.stem: len(Labels.read(path).sizes) for path in arguments.labels}
    candidates = {pool: range(size) for pool, size in sizes.items() if pool != study.replay.core}
    places = [
        {"design": "", "method": "none", "budget": 0, "draw": 0},
        {"design": "", "method": "all", "budget": sum(map(len, candidates.values())), "draw": 0},
    ]
    _fit_and_test(study, arguments, [{}, candidates], places)


def _fit_and_test(
    study: config.Study,
    arguments: argparse.Namespace,
    chosen: list[Mapping[str, list[int] | range]],
    places: list[dict[str, object]],
) -> None:
    """Fit a potential to each of several training sets, test all on everything, and write both."""
    import pandas as pd

    from gapdesign.files import read_array, write_array, write_csv
    from gapdesign.replay.fits import errors, factors
    from gapdesign.replay.leastsquares import coefficients

    known, widths, factor, tell = pools(arguments), sigmas(study), read_array(arguments.factor), progress("fits")
    found = []
    for number, own in enumerate(factors(factor, known, chosen, widths)):
        found.append(coefficients(own))
        tell(number + 1, len(chosen))
    table = errors(known, study.replay.core, np.array(found), chosen)
    table = pd.concat([pd.DataFrame([places[k] for k in table["number"]]), table.drop(columns="number")], axis=1)
    write_array(arguments.output_coefficients, np.array(found))
    write_csv(arguments.output, table)
    say(f"{len(chosen)} potentials, tested on {sum(len(pool.labels.sizes) for pool in known.values())} structures")


def _surfaces(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign.files import read_array, write_csv
    from gapdesign.replay.potential import calculator, with_coefficients
    from gapdesign.replay.surfaces import crystal, surface_energy

    study = config.load(arguments.config)
    options, template = study.replay.surfaces, arguments.potential.read_text(encoding="utf-8")
    prototype = study.prototypes[options.prototype]
    bulks = {
        plane: crystal(prototype.element, prototype.lattice, prototype.a, plane, options.repeats)
        for plane in options.reference
    }
    places, table, tell = _places(arguments), [], progress("potentials")
    for number, (place, own) in enumerate(zip(places, read_array(arguments.coefficients), strict=True)):
        if place["draw"] >= options.draws:
            continue
        potential = calculator(with_coefficients(template, own))
        for plane, bulk in bulks.items():
            energy = surface_energy(
                bulk, potential, vacuum=options.vacuum, max_force=options.max_force, steps=options.steps
            )
            known = options.reference[plane]
            table.append({**place, "plane": plane, "energy": energy, "reference": known, "error": energy - known})
        tell(number + 1, len(places))
    write_csv(arguments.output, pd.DataFrame(table))
    say(f"{len(table)} surface energies; {sum(np.isnan(row['energy']) for row in table)} slabs did not come to rest")


def _places(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """Design, method, budget and draw of each potential, in the order of their coefficients."""
    from gapdesign.files import read_csv

    return read_csv(arguments.errors)[["design", "method", "budget", "draw"]].drop_duplicates().to_dict("records")


def _replay(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from gapdesign.files import read_csv, write_csv
    from gapdesign.replay.equivalents import equivalents
    from gapdesign.report.replay_figures import errors_figure, surfaces_figure

    study = config.load(arguments.config)
    methods = study.methods()
    errors = pd.concat([read_csv(path) for path in arguments.errors], ignore_index=True)
    write_csv(arguments.output_errors, errors)
    write_csv(arguments.output_equivalents, equivalents(errors, core=study.replay.core))
    figures = {"errors": errors_figure(errors, methods, core=study.replay.core)}
    say(f"{len(errors)} rows of errors")
    if arguments.surfaces:
        surfaces = pd.concat([read_csv(path) for path in arguments.surfaces], ignore_index=True)
        write_csv(arguments.output_surfaces, surfaces)
        figures["surface_energies"] = surfaces_figure(surfaces, methods)
    write_figures(arguments.output_figures, figures)


def _potential(arguments: argparse.Namespace) -> None:
    from gapdesign.files import read_array, write_text
    from gapdesign.replay.potential import with_coefficients

    places = [(place["budget"], place["draw"]) for place in _places(arguments)]
    if (arguments.budget, arguments.draw) not in places:
        known = ", ".join(f"{budget} ({draw})" for budget, draw in places)
        raise InputError(
            f"--budget {arguments.budget} --draw {arguments.draw}: {arguments.errors} has no such potential, only"
            f" budgets and draws {known}."
        )
    own = read_array(arguments.coefficients)[places.index((arguments.budget, arguments.draw))]
    write_text(arguments.output, with_coefficients(arguments.potential.read_text(encoding="utf-8"), own))
