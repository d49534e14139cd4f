"""Verb `tune`: compare descriptors on a trial pool."""

from __future__ import annotations

import argparse
from pathlib import Path

from gapdesign.cli.arguments import add, add_config, add_output, say
from gapdesign.config import study as config
from gapdesign.errors import InputError

SCANNED = {
    "sigma": (float, "widths of the Gaussians, in angstrom"),
    "r_cut": (float, "radii of an environment, in angstrom"),
    "n_max": (int, "numbers of radial functions"),
    "l_max": (int, "largest angular momenta"),
    "zeta": (int, "powers of the SOAP kernel"),
}


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verb of this module."""
    verb = add(
        verbs,
        "tune",
        _tune,
        "compare descriptors on a trial pool before choosing one",
        "For every combination of the given values, reports the shares of pairs of candidates that overlap and that\n"
        "are orthogonal, both of which should be small, and how well SOAP sees a neighbour at each distance.\n\n"
        "example: gapdesign tune --sigma 0.15 0.3 0.5 --r-cut 5 6.8 --output tune.csv --output-figure tune.svg",
    )
    add_config(verb)
    verb.add_argument("--pool", help="pool whose first candidates are tried (the first pool)")
    verb.add_argument("--count", type=int, default=200, metavar="N", help="candidates to try (%(default)s)")
    for name, (kind, what) in SCANNED.items():
        flag = f"--{name.replace('_', '-')}"
        verb.add_argument(flag, type=kind, nargs="+", metavar="X", help=f"{what} (as configured)")
    add_output(verb, what="table of the settings to write (.csv)")
    verb.add_argument(
        "--output-radial",
        type=Path,
        metavar="FILE",
        help="table of the visibility of a dimer for each setting to write (.csv)",
    )
    verb.add_argument("--output-figure", type=Path, metavar="FILE", help="figure to write (.svg)")


def _tune(arguments: argparse.Namespace) -> None:
    from pydantic import ValidationError

    from gapdesign.descriptors.tuning import scan, settings
    from gapdesign.files import write_csv, write_text
    from gapdesign.samplers import sample
    from gapdesign.structures import prototypes

    study = config.load(arguments.config)
    pool = arguments.pool or study.pools.names[0]
    if pool not in study.pools.names:
        raise InputError(f"--pool {pool}: there is no such pool; choose from {', '.join(study.pools.names)}.")
    options = study.pools.of(pool)
    if not 2 <= arguments.count <= options.size:
        raise InputError(f"--count {arguments.count}: give 2 to {options.size}, the size of the pool.")
    scanned = {name: given for name in SCANNED if (given := getattr(arguments, name))}
    try:
        for soap, _ in settings(study.descriptor.soap, study.kernel, scanned):
            config.check(study.model_copy(update={"descriptor": study.descriptor.model_copy(update={"soap": soap})}))
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][-1]).replace("_", "-")
        raise InputError(f"--{key} {first['input']}: {first['msg'].replace('Input', 'it')}.") from None
    batch = sample(
        options.sampling, prototypes(study.prototypes), seed=study.seed, pool=pool, start=0, stop=arguments.count
    )
    shares, radial = scan(batch, study.species(), study.descriptor, study.kernel, scanned, progress=say)
    write_csv(arguments.output, shares)
    if arguments.output_radial:
        write_csv(arguments.output_radial, radial)
    if arguments.output_figure:
        from gapdesign.report.style import svg_text
        from gapdesign.report.tune_figure import tune_figure

        write_text(arguments.output_figure, svg_text(tune_figure(shares, radial)))
