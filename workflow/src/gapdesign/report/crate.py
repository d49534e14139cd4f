"""A study as an RO-Crate: what it made, with checksums, versions and a licence, described in JSON-LD for archives.

RO-Crate 1.1 (doi:10.5281/zenodo.4541002) with the profile Process Run Crate 0.5: each stage is an action, which has
inputs, results and a program.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import yaml

from gapdesign import records
from gapdesign.engines import ENGINES
from gapdesign.errors import InputError
from gapdesign.files import atomic, read_json, reading
from gapdesign.report.provenance import PACKAGES

METADATA = "ro-crate-metadata.json"

CONFIGURATION = "config.yaml"
"""File of the crate that is made for it; all others are results of the study."""

_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "http://schema.org/sha256"}]
_PROFILE = {
    "@id": "https://w3id.org/ro/wfrun/process/0.5",
    "@type": "CreativeWork",
    "name": "Process Run Crate",
    "version": "0.5",
}
_COMPLETED = "http://schema.org/CompletedActionStatus"

_FORMATS = {
    ".csv": "text/csv",
    ".extxyz": "chemical/x-xyz",
    ".html": "text/html",
    ".json": "application/json",
    ".npz": "application/zip",
    ".txt": "text/plain",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
}

_CHUNK = 2**20


@dataclass(frozen=True)
class Author:
    """Somebody who made the study.

    Attributes
    ----------
    name : str
        As it is to be cited.
    orcid : str, optional
        Four groups of four digits.
    """

    name: str
    orcid: str | None = None


@dataclass(frozen=True)
class Step:
    """What a stage leaves.

    Attributes
    ----------
    title, text : str
        What the stage did.
    reads : tuple of str
        Patterns of the files that it reads, with the ``{folder}`` of its kind of model.
    files : dict
        Descriptions of its files by their places, which may have a ``{design}`` and ``*``.
    always : tuple of str
        The places that a finished stage has.
    """

    title: str
    text: str
    reads: tuple[str, ...]
    files: Mapping[str, str]
    always: tuple[str, ...]


SHARED = {
    "design": Step(
        "Choice of structures",
        "Chooses the structures of every design from the candidates, before any of them is labelled.",
        (),
        {
            "candidates.csv": "Candidates that were refused",
            "designs/{design}.extxyz": "Structures of {design}, in the order of their choice",
            "quality.csv": "Measures of the designs that are known before any label",
            "quality/*.csv": "Curves, members, maps and groups behind the page of the designs",
            "design.html": "The designs on one page",
            "design-map.html": "Pools and designs on a map, with their structures",
        },
        ("designs/{design}.extxyz", "quality.csv", "design.html"),
    ),
    "labels": Step(
        "Labels",
        "Computes or reads the reference energy, forces and virial of every chosen structure.",
        ("designs/*",),
        {
            "labels/{design}.extxyz": "Structures of {design} with reference energies, forces and virials",
            "labels/isolated.extxyz": "Isolated atoms with their reference energies",
            "labels/engine.json": "Program that labelled, its version and settings",
            "labels/failed.csv": "Structures without a label, and why",
            "labels/suspicions.csv": "What makes labels doubtful",
        },
        ("labels/{design}.extxyz", "labels/isolated.extxyz", "labels/failed.csv"),
    ),
}
"""The stages that all kinds of models share."""

OF_KIND = {
    "models": Step(
        "Fits",
        "Fits a model to each labelled design.",
        ("labels/*.extxyz",),
        {
            "models/{design}/hyperparameters.json": "Hyperparameters of the model of {design}",
            "models/{design}/*": "Model fitted to {design}",
        },
        ("models/{design}/hyperparameters.json",),
    ),
    "crossval": Step(
        "Cross-validation",
        "Predicts every design by every model.",
        ("labels/*.extxyz", "{folder}models/*"),
        {
            "crossval/errors.csv": "Errors of every model on every design",
            "crossval/errors_by_group.csv": "Errors by config_type and by element",
            "crossval/predictions.csv": "Predicted and reference energies and virials of every structure",
            "crossval/forces.csv": "Predicted and reference forces of a sample of atoms",
            "crossval/duplicates.csv": "Structures that two designs nearly share",
            "crossval/bootstrap.csv": "Uncertainty of the errors",
            "crossval/models/{design}.npz": "Forces of all atoms by the model of {design}",
            "properties.csv": "Properties of crystals by the models and by the reference",
        },
        ("crossval/errors.csv", "crossval/predictions.csv"),
    ),
    "report": Step(
        "Report",
        "Compares the designs by their models.",
        (
            *("candidates.csv", "designs/*", "quality.csv", "labels/*"),
            *("{folder}models/*.json", "{folder}crossval/*.csv", "*crossval/errors.csv", "{folder}properties.csv"),
        ),
        {
            "report.html": "The study on one page, with all figures and their data",
            "report-map.html": "Pools and designs on a map, with the errors of the models",
            "headline.txt": "The result in one sentence",
            "estimate.json": "Estimated cost of the stages",
            "provenance.json": "Versions, seed, configuration and checksums",
        },
        ("report.html", "provenance.json"),
    ),
}
"""The stages that each kind of model has by itself."""


@dataclass
class Action:
    """A stage of a study, with what is there of it.

    Attributes
    ----------
    step : Step
        The stage.
    reads : list of str
        Patterns of the files that it reads.
    found : dict
        Descriptions of its files by their places below the results.
    missing : list of str
        Places where a finished study has a file and this one has none.
    """

    step: Step
    reads: list[str]
    found: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


class Run:
    """A study and its results, finished or not.

    Parameters
    ----------
    results : Path
        Results of the study.
    configuration : mapping, optional
        Configuration of a study that has no provenance.json yet.

    Raises
    ------
    InputError
        If there are no designs, or nothing says what the configuration is.
    """

    def __init__(self, results: Path, configuration: Mapping[str, Any] | None = None) -> None:
        if not results.is_dir():
            raise InputError(f"{results}: no such folder; name the results of a study, such as results/zr-demo.")
        self.results = results
        path = results / "provenance.json"
        self.provenance: dict[str, Any] | None = read_json(path) if path.exists() else None
        if self.provenance is None and configuration is None:
            raise InputError(
                f"{path}: no such file; run `snakemake report` for this study first, or, if it ends before, give its"
                " configuration with --config."
            )
        self.configuration = dict(self.provenance["configuration"] if self.provenance else configuration)
        self.study = self.configuration["study"]
        if self.provenance is None and self.study != results.resolve().name:
            raise InputError(f"--config: it is of the study {self.study}, and not of {results}; give the one of both.")
        self.kinds = list(self.configuration.get("models") or [self.configuration["model"]["kind"]])
        self.actions = self._actions()
        if not any(path.startswith("designs/") for path in self.actions["design"].found):
            raise InputError(f"{results}: it has no designs yet; run `snakemake design` for this study first.")

    @property
    def missing(self) -> list[str]:
        """Places where a finished study has a file and this one has none."""
        return [path for action in self.actions.values() for path in action.missing]

    def checksums(self) -> dict[str, str]:
        """Return the recorded checksums of files by their places below the results.

        Raises
        ------
        InputError
            If a recorded file is not there.
        """
        recorded = {}
        for folder in _folders(self.kinds):
            path = self.results / folder / "provenance.json"
            files = read_json(path)["files"] if path.exists() else {}
            recorded |= {name.partition(f"results/{self.study}/")[2]: checksum for name, checksum in files.items()}
        for name in recorded:
            if not (self.results / name).is_file():
                raise InputError(
                    f"{self.results / name}: no such file, though the provenance records it; run"
                    " `snakemake report` for this study again."
                )
        return recorded

    def _actions(self) -> dict[str, Action]:
        actions = {name: Action(step, list(step.reads)) for name, step in SHARED.items()}
        for folder in _folders(self.kinds):
            for name, step in OF_KIND.items():
                actions[f"{folder}{name}"] = Action(step, [pattern.format(folder=folder) for pattern in step.reads])
        taken: set[str] = set()
        for name, action in actions.items():
            folder = name.rpartition("/")[0]
            below = self.results / folder
            for pattern, text in action.step.files.items():
                for place, description in self._each(pattern, text):
                    for path in sorted(below.glob(place)) if "*" in place else [below / place]:
                        inside = path.relative_to(self.results).as_posix()
                        if path.is_file() and inside not in taken:
                            taken.add(inside)
                            action.found[inside] = description
            for pattern in action.step.always:
                places = [f"{folder}/{place}".lstrip("/") for place, _ in self._each(pattern, "")]
                action.missing += [place for place in places if not (self.results / place).is_file()]
        rest = [path for path in self.checksums() if path not in taken]
        actions["report"].found |= {path: "Table behind the report" for path in rest}
        return actions

    def _each(self, pattern: str, text: str) -> Iterator[tuple[str, str]]:
        designs = list(self.configuration["designs"]) if "{design}" in pattern else [""]
        return ((pattern.format(design=design), text.format(design=design)) for design in designs)


def _folders(kinds: Sequence[str]) -> list[str]:
    """Return the folders of the kinds of models below the results."""
    return ["" if n == 0 else f"{kind}/" for n, kind in enumerate(kinds)]


def write_crate(path: Path, run: Run, *, licence: str, published: str, authors: Sequence[Author] = ()) -> None:
    """Write a crate atomically; equal studies and arguments give equal bytes with one version of zlib.

    Parameters
    ----------
    path : Path
        Archive to write.
    licence : str
        What :func:`licence_of` returned.
    published : str
        Date of publication, YYYY-MM-DD.
    authors : sequence of Author
        In the order in which they are cited.

    Raises
    ------
    InputError
        If a file is not what a job wrote, or not what the provenance records.
    """
    recorded = run.checksums()
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
        described[CONFIGURATION] = _file(CONFIGURATION, text, len(configuration), hashlib.sha256(configuration))
        archive.writestr(_member(CONFIGURATION, len(configuration)), configuration)
        graph = _graph(run, described, licence, published, authors)
        content = json.dumps({"@context": _CONTEXT, "@graph": graph}, indent=2, ensure_ascii=False).encode() + b"\n"
        archive.writestr(_member(METADATA, len(content)), content)


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
    return _file(name, text, copied, digest)


def _file(name: str, text: str, size: int, digest: Any) -> dict[str, Any]:
    return {
        "@id": name,
        "@type": "File",
        "name": name,
        "description": text,
        "encodingFormat": _FORMATS.get(PurePosixPath(name).suffix, "application/octet-stream"),
        "contentSize": str(size),
        "sha256": digest.hexdigest(),
    }


def _graph(
    run: Run, files: Mapping[str, dict[str, Any]], licence: str, published: str, authors: Sequence[Author]
) -> list[dict[str, Any]]:
    people = [_person(author, n) for n, author in enumerate(authors)]
    made = {name: action for name, action in run.actions.items() if action.found}
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{run.study}: training sets for interatomic potentials",
        "description": _about(run),
        "datePublished": published,
        "license": {"@id": licence},
        "conformsTo": {"@id": _PROFILE["@id"]},
        "hasPart": _refs(files),
        "mentions": _refs(f"#{name}" for name in made),
    }
    if people:
        root["author"] = _refs(person["@id"] for person in people)
    described = {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}}
    described["conformsTo"] = {"@id": "https://w3id.org/ro/crate/1.1"}
    right = {"@id": licence, "@type": "CreativeWork", "name": licence.removeprefix(_SPDX)}
    right["description"] = f"Licence of this crate: {licence}"
    programs = [*_programs(run), *_engine(run)]
    actions = [_action(name, action, run, programs) for name, action in made.items()]
    return [described, root, *files.values(), *actions, *programs, *people, right, _PROFILE]


def _action(name: str, action: Action, run: Run, programs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    there = [path for other in run.actions.values() for path in other.found]
    read = [path for path in there if any(fnmatchcase(path, pattern) for pattern in action.reads)]
    engine = [program["@id"] for program in programs if program["@id"] == _ENGINE]
    entity = {
        "@id": f"#{name}",
        "@type": "CreateAction",
        "name": action.step.title,
        "description": action.step.text,
        "instrument": _refs(engine if action.step is SHARED["labels"] and engine else [_PROGRAM]),
        "object": _refs([CONFIGURATION, *read]),
        "result": _refs(action.found),
    }
    if not action.missing:
        entity["actionStatus"] = _COMPLETED
    return entity


_PROGRAM, _ENGINE = "#gapdesign", "#engine"


def _programs(run: Run) -> list[dict[str, Any]]:
    """Return gapdesign, and the packages that it ran with, as far as the study recorded them."""
    program = {"@id": _PROGRAM, "@type": "SoftwareApplication", "name": "gapdesign"}
    if run.provenance is None:
        return [program]
    program["softwareVersion"] = run.provenance["gapdesign"]
    if run.provenance["commit"] != "unknown":
        program["softwareVersion"] += f", commit {run.provenance['commit']}"
    packages = [_package("Python", run.provenance["python"], None)]
    for name, version in run.provenance["packages"].items():
        if version != "not installed":
            url = f"https://pypi.org/project/{name}/{version}/" if name in PACKAGES else None
            packages.append(_package(name, version, url))
    program["softwareRequirements"] = _refs(package["@id"] for package in packages)
    return [program, *packages]


def _package(name: str, version: str, url: str | None) -> dict[str, Any]:
    entity = {"@id": url or f"#{name}", "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
    return entity | ({"url": url} if url else {})


def _engine(run: Run) -> list[dict[str, Any]]:
    """Return the program that labelled, if it was one and said which."""
    path = run.results / "labels/engine.json"
    if not path.exists():
        return []
    said = read_json(path)
    member = ENGINES.get(said["engine"])
    if member is not None and not member.computes:
        return []
    entity = {"@id": _ENGINE, "@type": "SoftwareApplication", "name": said["engine"]}
    return [entity | {"softwareVersion": said["version"]}]


def _person(author: Author, n: int) -> dict[str, Any]:
    identity = f"https://orcid.org/{author.orcid}" if author.orcid else f"#author-{n + 1}"
    return {"@id": identity, "@type": "Person", "name": author.name}


def _about(run: Run) -> str:
    """Return the study in a few sentences, with what it lacks."""
    common = run.configuration["budget"]
    designs = ", ".join(
        f"{name} ({design['method']}, budget {design.get('budget') or common})"
        for name, design in run.configuration["designs"].items()
    )
    text = (
        f"Structures on which a machine-learning interatomic potential is trained, chosen by gapdesign: {designs}."
        f" Labels: engine {run.configuration['labels']['engine']}. Models: {', '.join(run.kinds)}."
    )
    if run.provenance is None:
        text += " The versions of the programs were not recorded."
    if run.missing:
        text += f" The study was not finished; it lacked {', '.join(run.missing)}."
    return text


def _refs(names: Iterable[str]) -> Any:
    """Return references to entities; to a single one without a list, as RO-Crate asks for."""
    found = [{"@id": name} for name in names]
    return found[0] if len(found) == 1 else found


_SPDX = "https://spdx.org/licenses/"


def licence_of(given: str) -> str:
    """Return the address of a licence.

    Parameters
    ----------
    given : str
        An SPDX identifier, such as CC-BY-4.0, or an address.

    Raises
    ------
    InputError
        If it is neither.
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    if re.fullmatch(r"https?://[^\s/]+\.[^\s]+", given):
        return given
    try:
        name = canonicalize_license_expression(given)
    except InvalidLicenseExpression:
        name = ""
    if not name or set(name) & set(" (+") or name.startswith("LicenseRef-"):
        raise InputError(
            f"--license {given}: this is no licence; give one SPDX identifier, such as CC-BY-4.0 or CC0-1.0"
            " (https://spdx.org/licenses), or the address of a licence."
        )
    return _SPDX + name


def date_of(given: str) -> str:
    """Return a date as YYYY-MM-DD.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        return date.fromisoformat(given).isoformat()
    except ValueError:
        raise InputError(f"--date {given}: there is no such day; write it as 2026-11-28.") from None


def orcid_of(given: str) -> str:
    """Return an ORCID iD as four groups of digits; the last digit is a checksum (ISO 7064, mod 11-2).

    Raises
    ------
    InputError
        If it is none.
    """
    digits = given.removeprefix("https://orcid.org/")
    total = 0
    if re.fullmatch(r"(\d{4}-){3}\d{3}[\dX]", digits):
        for digit in digits.replace("-", ""):
            total = 2 * total + ("0123456789X".index(digit))
    if total % 11 != 1:
        raise InputError(f"--orcid {given}: this is no ORCID iD; it looks like 0000-0002-1825-0097.")
    return digits
