"""The description of a crate: entities of JSON-LD and how they belong together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from gapdesign.engines import ENGINES
from gapdesign.files import read_json
from gapdesign.report import words
from gapdesign.report.crate.credits import SPDX, Author
from gapdesign.report.crate.run import Action, Run
from gapdesign.report.crate.stages import SHARED
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


def text(run: Run, files: Mapping[str, dict[str, Any]], licence: str, published: str, authors: Sequence[Author]) -> str:
    """Return the description of a crate as JSON.

    Parameters
    ----------
    run : Run
    files : mapping
        Place in the crate to what :func:`of_file` returned.
    licence, published, authors
        As for :func:`gapdesign.report.crate.archive.write_crate`.
    """
    graph = _graph(run, files, licence, published, authors)
    return json.dumps({"@context": _CONTEXT, "@graph": graph}, indent=2, ensure_ascii=False) + "\n"


def of_file(name: str, description: str, size: int, digest: Any) -> dict[str, Any]:
    """Return the entity of a file, of so many bytes, with its hash object of SHA-256."""
    return {
        "@id": name,
        "@type": "File",
        "name": name,
        "description": description,
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
    right = {"@id": licence, "@type": "CreativeWork", "name": licence.removeprefix(SPDX)}
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
        f"{name} ({design['method']}, budget {_budget(design.get('budget') or common)})"
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


def _budget(value: Any) -> str:
    return words.budget(value) if isinstance(value, dict) else str(value)


def _refs(names: Iterable[str]) -> Any:
    """Return references to entities; to a single one without a list, as RO-Crate asks for."""
    found = [{"@id": name} for name in names]
    return found[0] if len(found) == 1 else found
