"""The verb that looks for what is wrong with a set of frames."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gapdesign.cli.arguments import add, answer, say
from gapdesign.cli.sets import file_of, refuse_overwriting
from gapdesign.errors import InputError, ProgramError
from gapdesign.inputs.labels import QUANTITIES, Keys


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "audit",
        _audit,
        "find what is wrong with a set of frames before a potential learns it",
        "Looks for structures that are there twice, or nearly; atoms that overlap or have no neighbour; energies,\n"
        "forces and distances far from all others; frames without labels, and keys that look like labels but are not\n"
        "read; units and signs that contradict other labels, of the whole set or of single frames; settings that\n"
        "differ, such as the functional, where frames say them; isolated atoms that are missing or contradict each\n"
        "other. Nothing is changed. Writes a table of all structures and a page with pictures.\n"
        "\n"
        "wrong: labels contradict each other. suspicious: probably a mistake. note: good to know. Frames count from\n"
        "0 in their files.\n"
        "\n"
        "Labels are read under REF_energy, REF_forces and REF_virial or REF_stress, else under the names of ASE,\n"
        "unless you name keys: in eV and angstrom, virials as minus the stress times the volume.\n"
        "\n"
        "example: gapdesign audit training.xyz\n"
        "example: gapdesign audit si/*.xyz --energy-key dft_energy --forces-key dft_force --virial-key dft_virial",
    )
    verb.add_argument(
        "files", metavar="FILE", nargs="+", help="files of one set, in any format that ASE reads; - for stdin"
    )
    add_keys(verb)
    verb.add_argument("--strict", action="store_true", help="exit with 1 if anything is wrong or suspicious")
    for flag, name, what in (
        ("--output-table", "audit.csv", "table of structures to write"),
        ("--output-page", "audit.html", "page to write"),
    ):
        verb.add_argument(flag, type=Path, default=Path(name), metavar="FILE", help=f"{what} (%(default)s)")


def add_keys(verb: argparse.ArgumentParser) -> None:
    """Add the names of the labels."""
    for quantity in QUANTITIES:
        verb.add_argument(f"--{quantity}-key", metavar="KEY", help=f"name of the {quantity} in the frames")


def keys_of(arguments: argparse.Namespace) -> Keys:
    """Return the names of the labels that were given."""
    return Keys(**{quantity: getattr(arguments, f"{quantity}_key") for quantity in QUANTITIES})


@contextmanager
def as_flags() -> Iterator[None]:
    """Let a mistake name flags of a verb where the reader of labels names keys of a configuration."""
    try:
        yield
    except InputError as error:
        text = re.sub(r"labels\.file\.(\w+)_key", r"--\1-key", str(error)).replace("labels.file.paths", "FILE")
        raise InputError(text) from error


def _audit(arguments: argparse.Namespace) -> None:
    from gapdesign.files import write_csv, write_text
    from gapdesign.inputs.frames import read
    from gapdesign.report.audit_page import render
    from gapdesign.sets.audit import audit

    if "-" in arguments.files and len(arguments.files) > 1:
        raise InputError("FILE: standard input is a set of its own; give - alone.")
    refuse_overwriting(arguments, *arguments.files)
    with as_flags():
        if len(arguments.files) == 1:
            with file_of(arguments.files[0]) as (path, name):
                found = audit(read(path, "FILE"), name, keys_of(arguments), say)
        else:
            frames = (frame for path in arguments.files for frame in read(path, "FILE"))
            found = audit(frames, f"{len(arguments.files)} files", keys_of(arguments), say)
    for line in found.read():
        answer(line)
    for finding in found.findings:
        answer(f"{finding.severity}: {finding.about}: {finding.sentence}; {finding.remedy}")
    answer(found.counts())
    write_csv(arguments.output_table, found.table)
    write_text(arguments.output_page, render(found))
    if arguments.strict and found.suspicious:
        count = len(found.suspicious)
        raise ProgramError(f"--strict: {count} {'finding is' if count == 1 else 'findings are'} wrong or suspicious.")
