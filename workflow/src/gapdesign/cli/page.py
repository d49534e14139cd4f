"""The verb that writes the design page."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from gapdesign.cli.arguments import add, add_files, add_output, by_name
from gapdesign.cli.parts.features import DistancePart
from gapdesign.cli.parts.study import StudyPart
from gapdesign.config.job import Job

TABLES = ("curves", "members", "coverage", "pools", "groups")
"""Tables of each pool, which the page collects."""


class PagePart(StudyPart):
    """Keys that the design page depends on, besides its tables."""

    distances: DistancePart


PAGE = Job(verb="page", rule="design_page", stage="design", reads=PagePart)
JOBS = (PAGE,)


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verb."""
    verb = add(verbs, PAGE, _page, "write the design page: what is known before any label")
    for table in TABLES:
        add_files(verb, f"--{table}", f"{table}.csv of every pool")
        add_output(verb, f"--output-{table}", f"{table} of all pools to write (.csv)")
    verb.add_argument("--quality", required=True, type=Path, metavar="FILE", help="quality.csv")
    add_files(verb, "--designs", "designs (.extxyz)")
    add_files(verb, "--features", "features of the designs (.npy)")
    add_files(verb, "--maps", "map of every pool (.json)")
    add_files(verb, "--raised", "designs with more core-hours (.csv, one per design)", may_be_none=True)
    verb.add_argument("--output-raised", type=Path, metavar="FILE", help="these of all designs to write (.csv)")
    add_files(verb, "--growth", "growth of pools (.json, in folders named after them)", may_be_none=True)
    verb.add_argument("--output-growth", type=Path, metavar="FILE", help="this of all pools to write (.csv)")
    add_output(verb, what="page to write (.html)")
    add_output(verb, "--output-map", "page of the maps to write (.html)")


def _page(arguments: argparse.Namespace, part: PagePart) -> None:
    import pandas as pd

    from gapdesign.files import read_array, read_csv, read_frames, write_csv, write_text
    from gapdesign.methods.growth import Growth
    from gapdesign.quality.measures import pair_distances
    from gapdesign.report import design_page, map_page

    features = {name: np.asarray(read_array(path)) for name, path in by_name(arguments.features).items()}
    tables = {}
    for name in TABLES:
        table = pd.concat([read_csv(path) for path in getattr(arguments, name)], ignore_index=True)
        whole = {column: "Int64" for column in ("draw", "rank") if column in table}
        tables[name] = table.astype(whole)
        write_csv(getattr(arguments, f"output_{name}"), tables[name])
    raised = pd.concat([read_csv(path) for path in arguments.raised], ignore_index=True) if arguments.raised else None
    if arguments.output_raised and raised is not None:
        write_csv(arguments.output_raised, raised)
    grown = {path.parent.name: Growth.read(path) for path in arguments.growth}
    growth = pd.DataFrame([row for pool, found in grown.items() for row in found.rows(pool)])
    if arguments.output_growth:
        write_csv(arguments.output_growth, growth)
    page = design_page.render(
        configuration=part.study.model_dump(mode="json", exclude_none=True),
        methods=part.study.methods(),
        designs={name: read_frames(path) for name, path in by_name(arguments.designs).items()},
        distances={name: pair_distances(rows, part.distances.covariance) for name, rows in features.items()},
        **tables,
        quality=read_csv(arguments.quality),
        raised=raised,
        growth=growth,
    )
    write_text(arguments.output, page)
    maps = list(map_page.read(arguments.maps).values())
    write_text(arguments.output_map, map_page.render(part.study.study, maps, back="design.html"))
