"""Verb `crate`: a study for an archive."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gapdesign.cli.arguments import add, say
from gapdesign.errors import InputError


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verb of this module."""
    verb = add(
        verbs,
        "crate",
        _crate,
        "pack a study for an archive, as an RO-Crate",
        "Packs configuration, designs, labels, models, errors, report and provenance.json, each described and with\n"
        "its checksum. Licence, date and authors are what you say: nothing is guessed. See docs/report.md.\n"
        "\n"
        "example: gapdesign crate results/zr-demo --license CC-BY-4.0 --date 2026-11-28 --output zr-demo.crate.zip",
    )
    verb.add_argument("results", type=Path, metavar="FOLDER", help="results of a study")
    verb.add_argument("--license", required=True, metavar="LICENCE", help="SPDX identifier, or address of a licence")
    verb.add_argument("--date", required=True, metavar="DATE", help="date of publication, as YYYY-MM-DD")
    verb.add_argument("--author", action="append", default=[], metavar="NAME", help="may be given again")
    verb.add_argument(
        "--orcid", action=_Orcid, default={}, metavar="ID", help="ORCID iD of the author who is named before it"
    )
    verb.add_argument("--config", metavar="FILE", help="configuration of a study that has no provenance.json yet")
    verb.add_argument("--output", required=True, type=Path, metavar="FILE", help="archive to write (.zip)")


class _Orcid(argparse.Action):
    """Keeps ORCID iDs by the place of their author."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        """Take the iD; see :class:`argparse.Action`."""
        if not namespace.author:
            parser.error(f"--orcid {values}: name its --author before it")
        namespace.orcid = namespace.orcid | {len(namespace.author) - 1: values}


def _crate(arguments: argparse.Namespace) -> None:
    from gapdesign.config import study
    from gapdesign.report.crate.archive import write_crate
    from gapdesign.report.crate.credits import Author, date_of, licence_of, orcid_of
    from gapdesign.report.crate.run import Run

    output = arguments.output
    if output.suffix != ".zip":
        raise InputError(f"--output {output}: a crate is an archive; end its name with .zip.")
    if output.exists():
        raise InputError(f"--output {output}: it exists already; remove it, or give another name.")
    licence, published = licence_of(arguments.license), date_of(arguments.date)
    orcids = {n: orcid_of(given) for n, given in arguments.orcid.items()}
    authors = [Author(name, orcids.get(n)) for n, name in enumerate(arguments.author)]
    if not all(author.name.strip() for author in authors):
        raise InputError("--author: a name is empty; give it, or leave the author out.")
    if len(set(orcids.values())) < len(orcids):
        raise InputError("--orcid: two authors have the same ORCID iD; give each their own.")
    given = study.load(arguments.config).model_dump(mode="json", exclude_none=True) if arguments.config else None
    run = Run(arguments.results, given)
    write_crate(output, run, licence=licence, published=published, authors=authors)
    for path in run.missing:
        say(f"not there yet: {arguments.results / path}")
