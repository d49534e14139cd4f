"""From saved tables to the figures and the one page of a study.

:func:`draw` makes the figures as SVG text, :func:`build` the page that embeds them, and :func:`build_design_page` the
page of what is known before any label, with figures of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from numpy.typing import NDArray


def draw(
    *,
    methods: Mapping[str, str],
    designs: Mapping[str, list[Atoms]],
    distances: Mapping[str, NDArray],
    errors: pd.DataFrame,
    predictions: pd.DataFrame,
    duplicates: pd.DataFrame,
) -> dict[str, str]:
    """Draw the figures of a study.

    Parameters
    ----------
    methods
        Design to method, in the order of the configuration.
    designs
        Design to its structures in selection order, with ``distance`` and ``deformation`` in their ``info``.
    distances
        Design to the squared kernel distances D2 (0 to 2) of its pairs, as a matrix (n, n) or a row of pairs.
    errors, predictions, duplicates
        The tables of ``crossval/``.

    Returns
    -------
    dict
        ``worst``, ``distances``, ``ranks``, ``errors`` and ``parity``, each to an SVG document.
    """
    from gapdesign.report import figures

    errors, predictions, duplicates = (_named(table) for table in (errors, predictions, duplicates))
    return figures.draw(
        figures.Results(
            methods=methods,
            designs=designs,
            distances=distances,
            errors=errors,
            predictions=predictions,
            duplicates=duplicates,
        )
    )


def build(
    *,
    configuration: Mapping[str, Any],
    methods: Mapping[str, str],
    designs: Mapping[str, list[Atoms]],
    figures: Mapping[str, str],
    quality: pd.DataFrame,
    errors: pd.DataFrame,
    duplicates: pd.DataFrame,
    failed: pd.DataFrame,
    labelled: Mapping[str, Sequence[int]],
    hyperparameters: Mapping[str, Mapping[str, Any]],
    provenance: Mapping[str, Any],
    candidates: pd.DataFrame | None = None,
) -> str:
    """Write the page of a study.

    Parameters
    ----------
    configuration
        The whole configuration, defaults included.
    methods
        Design to method, in the order of the configuration.
    designs
        Design to its structures.
    figures
        Figure name to SVG document, as :func:`draw` gives them; a figure that is not there is left out.
    quality, errors, duplicates, failed
        The tables ``quality.csv``, ``crossval/errors.csv``, ``crossval/duplicates.csv`` and
        ``labels/failed.csv``.
    labelled
        Design to the ranks that have a label; those from its size on are of its reserve.
    hyperparameters
        Design to the content of its ``hyperparameters.json``.
    provenance
        The content of ``provenance.json``.
    candidates
        The table ``candidates.csv``; left out where there is none.

    Returns
    -------
    str
        One self-contained HTML document that loads nothing.
    """
    from gapdesign.report import page

    return page.render(
        configuration=configuration,
        methods=methods,
        designs=designs,
        figures=figures,
        quality=_named(quality),
        errors=_named(errors),
        duplicates=_named(duplicates),
        failed=_named(failed),
        labelled=labelled,
        hyperparameters=hyperparameters,
        provenance=provenance,
        candidates=None if candidates is None else _named(candidates),
    )


def build_design_page(
    *,
    configuration: Mapping[str, Any],
    methods: Mapping[str, str],
    designs: Mapping[str, list[Atoms]],
    distances: Mapping[str, NDArray],
    curves: pd.DataFrame,
    members: pd.DataFrame,
    coverage: pd.DataFrame,
    pools: pd.DataFrame,
    quality: pd.DataFrame,
) -> str:
    """Write the page of what is known before any label.

    Parameters
    ----------
    configuration, methods, designs
        As for :func:`build`.
    distances
        As for :func:`draw`.
    curves, members, coverage, pools
        The tables of ``quality/``, see :mod:`gapdesign.curves`.
    quality
        The table ``quality.csv``.

    Returns
    -------
    str
        One self-contained HTML document that loads nothing.
    """
    from gapdesign.report import design_page

    return design_page.render(
        configuration=configuration,
        methods=methods,
        designs=designs,
        distances=distances,
        curves=_named(curves),
        members=_named(members),
        coverage=_named(coverage),
        pools=_named(pools),
        quality=_named(quality),
    )


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Give a table whose names are text: a design called ``1`` comes back from CSV as a number."""
    names = ("design", "model", "test_set", "method", "pool", "reason", "engine")
    return table.assign(**{name: table[name].fillna("").astype(str) for name in names if name in table})
