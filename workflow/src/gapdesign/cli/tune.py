"""Verb `tune`: compare descriptors on a trial pool."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gapdesign.cli.arguments import add, add_config, add_output, say
from gapdesign.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from gapdesign.config.study import Study
    from gapdesign.structures import Batch

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
        "With --backends, descriptors of different kinds: their length and time too, and the pairs that one of them\n"
        "does not tell apart although their atoms have neighbours at other distances.\n\n"
        "example: gapdesign tune --sigma 0.15 0.3 0.5 --r-cut 5 6.8 --output tune.csv --output-figure tune.svg\n"
        "\nexample: gapdesign tune --backends dscribe nep distances --output kinds.csv --output-figure kinds.svg",
    )
    add_config(verb)
    verb.add_argument(
        "--backends",
        nargs="+",
        metavar="NAME",
        help="compare these descriptors as they are configured, instead of values of SOAP",
    )
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

    from gapdesign.config import study as config
    from gapdesign.descriptors.tuning import scan, settings

    study = config.load(arguments.config)
    pool = arguments.pool or study.pools.names[0]
    if pool not in study.pools.names:
        raise InputError(f"--pool {pool}: there is no such pool; choose from {', '.join(study.pools.names)}.")
    options = study.pools.of(pool)
    if not 2 <= arguments.count <= options.most:
        raise InputError(f"--count {arguments.count}: give 2 to {options.most}, the size of the pool.")
    scanned = {name: given for name in SCANNED if (given := getattr(arguments, name))}
    if arguments.backends:
        _compare(arguments, study, pool, scanned)
        return
    try:
        for soap, _ in settings(study.descriptor.soap, study.kernel, scanned):
            config.check(study.model_copy(update={"descriptor": study.descriptor.model_copy(update={"soap": soap})}))
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][-1]).replace("_", "-")
        raise InputError(f"--{key} {first['input']}: {first['msg'].replace('Input', 'it')}.") from None
    batch = _trial(study, pool, arguments.count)
    shares, radial = scan(batch, study.species(), study.descriptor, study.kernel, scanned, progress=say)
    _write(arguments, shares, radial)


def _write(arguments: argparse.Namespace, table: pd.DataFrame, radial: pd.DataFrame) -> None:
    from gapdesign.files import write_csv, write_text

    write_csv(arguments.output, table)
    if arguments.output_radial:
        write_csv(arguments.output_radial, radial)
    if arguments.output_figure:
        from gapdesign.report.style import svg_text
        from gapdesign.report.tune_figure import kinds_figure, tune_figure

        draw = kinds_figure if arguments.backends else tune_figure
        write_text(arguments.output_figure, svg_text(draw(table, radial)))


def _trial(study: Study, pool: str, count: int) -> Batch:
    """Return the first candidates of a pool."""
    from gapdesign.prototypes import prototypes
    from gapdesign.samplers import sample

    made = prototypes(study.prototypes)
    return sample(study.pools.of(pool).sampling, made, seed=study.seed, pool=pool, start=0, stop=count)


def _compare(arguments: argparse.Namespace, study: Study, pool: str, scanned: Mapping[str, Any]) -> None:
    from gapdesign.config import study as config
    from gapdesign.descriptors import DESCRIPTORS
    from gapdesign.descriptors.blindspots import compare

    if scanned:
        raise InputError(f"--{next(iter(scanned)).replace('_', '-')}: --backends are compared as they are configured.")
    for name in arguments.backends:
        if name not in DESCRIPTORS:
            raise InputError(f"--backends {name}: there is no such descriptor; choose from {', '.join(DESCRIPTORS)}.")
        asked = study.descriptor.model_copy(update={"backend": name})
        config.check(study.model_copy(update={"descriptor": asked}))
    batch = _trial(study, pool, arguments.count)
    backends = list(dict.fromkeys(arguments.backends))
    table, radial = compare(batch, study.species(), study.descriptor, study.kernel, backends, progress=say)
    _write(arguments, table, radial)
