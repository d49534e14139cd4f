"""The archive of a crate."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import yaml

from gapdesign import records
from gapdesign.errors import InputError
from gapdesign.files import atomic, reading
from gapdesign.report.crate import metadata
from gapdesign.report.crate.credits import Author
from gapdesign.report.crate.run import Run

_CHUNK = 2**20


def write_crate(path: Path, run: Run, *, licence: str, published: str, authors: Sequence[Author] = ()) -> None:
    """Write a crate atomically; equal studies and arguments give equal bytes with one version of zlib.

    Parameters
    ----------
    path : Path
        Archive to write.
    licence : str
        What :func:`.credits.licence_of` returned.
    published : str
        Date of publication, YYYY-MM-DD.
    authors : sequence of Author
        In the order in which they are cited.

    Raises
    ------
    InputError
        If a file is not what a job wrote, or not what the provenance records.
    """
    recorded = run.checksums
    configuration = yaml.safe_dump(run.configuration, sort_keys=False, allow_unicode=True).encode()
    found = {name: text for action in run.actions.values() for name, text in action.found.items()}
    described = {}
    with atomic(path) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as archive:
        for name, text in sorted(found.items()):
            source = run.results / name
            with reading(source, "not readable"), source.open("rb") as stream:
                records.check(source)
                described[name] = _add(archive, name, text, stream, source.stat().st_size)
            if described[name]["sha256"] != recorded.get(name, described[name]["sha256"]):
                raise InputError(
                    f"{source}: it has changed since the provenance was recorded; wait for the run, or run `snakemake"
                    " report` for this study again."
                )
        text = "Configuration of the study, with the value of every key"
        described[metadata.CONFIGURATION] = metadata.of_file(
            metadata.CONFIGURATION, text, len(configuration), hashlib.sha256(configuration)
        )
        archive.writestr(_member(metadata.CONFIGURATION, len(configuration)), configuration)
        content = metadata.text(run, described, licence, published, authors).encode()
        archive.writestr(_member(metadata.METADATA, len(content)), content)


def _member(name: str, size: int) -> ZipInfo:
    member = ZipInfo(name)  # of the first of January 1980, whenever it is made
    member.compress_type, member.external_attr, member.file_size = ZIP_DEFLATED, 0o100644 << 16, size
    member.create_system = 3
    return member


def _add(archive: ZipFile, name: str, text: str, stream: BinaryIO, size: int) -> dict[str, Any]:
    """Copy a file into the archive, and return its entity."""
    digest, copied = hashlib.sha256(), 0
    with archive.open(_member(name, size), "w") as target:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
            copied += len(chunk)
    return metadata.of_file(name, text, copied, digest)
