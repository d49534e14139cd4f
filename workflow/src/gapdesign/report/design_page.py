"""The design page: everything known before any label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gapdesign.files import csv_bytes
from gapdesign.report import groups_table, growth_table, raised_table, words
from gapdesign.report.advice import advice, outlook
from gapdesign.report.configuration import as_yaml, asked, tests_only
from gapdesign.report.curve_figures import (
    against_budget,
    against_pool,
    coverage_figure,
    curves_figure,
    nearest_figure,
)
from gapdesign.report.designs_table import (
    contents,
    elements,
    gathered_measures,
    gathered_nearest,
    measures,
    nearest,
)
from gapdesign.report.downloads import File, downloads
from gapdesign.report.embed import embed
from gapdesign.report.figures import distances_figure, distances_table
from gapdesign.report.style import are_many, pdf_bytes, svg_text
from gapdesign.report.template import fill
from gapdesign.report.texts import BEFORE_LABELS, NEAREST_WITH_STRAINS, TITLES, of_many, references

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from numpy.typing import NDArray


def render(
    *,
    configuration: Mapping[str, Any],
    methods: Mapping[str, str],
    designs: Mapping[str, list[Atoms]],
    distances: Mapping[str, NDArray],
    curves: pd.DataFrame,
    members: pd.DataFrame,
    coverage: pd.DataFrame,
    pools: pd.DataFrame,
    groups: pd.DataFrame,
    quality: pd.DataFrame,
    raised: pd.DataFrame | None = None,
    growth: pd.DataFrame | None = None,
) -> str:
    """Write the page of everything known before any label.

    Parameters
    ----------
    configuration, methods, designs
        As for :func:`gapdesign.report.study_page.render`.
    distances
        As for :class:`gapdesign.report.figures.Results`.
    curves, members, coverage, pools, groups
        The tables of ``quality/``, see :mod:`gapdesign.quality.tables`.
    quality
        The table ``quality.csv``.
    raised
        The table ``quality/raised.csv``, where core-hours end designs.
    growth
        The table ``quality/growth.csv``, where pools grow until they are wide enough.

    Returns
    -------
    str
        One self-contained HTML document that loads nothing.
    """
    tests = tests_only(configuration)
    judged = {name: method for name, method in methods.items() if name not in tests}
    measured = _beside(curves, judged)
    drawn = {
        "nearest": nearest_figure(_beside(members, judged), judged),
        "distances": distances_figure(distances, {}, judged),
        "budget": curves_figure(against_budget(measured), "size", "structures", judged),
        "pool": curves_figure(against_pool(measured), "candidates", "candidates chosen from", judged),
        "coverage": coverage_figure(coverage, pools, methods),
    }
    study = str(configuration.get("study", "study"))
    documents = {name: svg_text(figure) for name, figure in drawn.items()}
    tables = {
        "nearest": ("quality/members.csv", members),
        "distances": ("quality/distances.csv", distances_table(distances, {}, methods)),
        "budget": ("quality/curves.csv", curves),
        "pool": ("quality/curves.csv", curves),
        "coverage": ("quality/coverage.csv", coverage),
    }
    files = {
        name: [
            File(f"figures/{name}.pdf", pdf_bytes(figure), beside=False),
            File(f"figures/{name}.svg", documents[name].encode(), beside=False),
            File(tables[name][0], csv_bytes(tables[name][1]), beside=name != "distances"),
        ]
        for name, figure in drawn.items()
    }
    captions = BEFORE_LABELS | ({"nearest": NEAREST_WITH_STRAINS} if members["strain"].notna().any() else {})
    draws = curves["draw"].nunique()
    return fill(
        "design.html.j2",
        study=study,
        elements=elements(designs),
        advice=advice(curves, judged, quality),
        hardly=groups_table.warnings(groups, configuration["designs"]),
        groups=groups_table.tables(groups),
        facts=[
            words.count(len(designs), "design"),
            words.count(sum(map(len, designs.values())), "structure"),
            words.count(len(pools), "pool"),
            f"{words.count(draws, 'random draw')} from each",
            *raised_table.facts(raised),
        ],
        raised=raised_table.section(raised),
        outlooks=[outlook(curves, design) for design in judged if (curves["design"] == design).any()],
        methods=methods,
        contents=contents(designs, methods, tests),
        quality=measures(quality),
        gathered_quality=gathered_measures(quality, methods),
        nearest=nearest(quality),
        gathered_nearest=gathered_nearest(quality, methods),
        pools=pools.to_dict("records"),
        growth=growth_table.section(growth, configuration),
        figures={name: embed(name, document, TITLES[name]) for name, document in documents.items()},
        downloads=downloads(f"{study}-design", files),
        numbers={name: place for place, name in enumerate(drawn, 1)},
        captions=of_many(captions) if are_many(methods) else captions,
        asked=asked(configuration),
        yaml=as_yaml(configuration),
        references=[entry for entry in references(configuration) if entry[2] not in ("the potential",)],
    )


def _beside(table: pd.DataFrame, judged: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows of the designs that are judged, and of random draws from their pools."""
    pools = table["pool"][table["design"].isin(judged)]
    return table[table["design"].isin([*judged, ""]) & table["pool"].isin(pools)]
