"""`gapdesign crate`: what is in a crate, what is said about it, and what two other programs read in it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from conftest import ROOT, SMALL
from gapdesign import cli
from gapdesign.config import study as config
from gapdesign.report.provenance import provenance

GIVEN = ("--license", "CC-BY-4.0", "--date", "2026-11-28")

KINDS = {"gap": "", "ace": "ace/"}

AFTER = ("report.html", "headline.txt", "estimate.json")
"""Files that are written when the provenance is recorded already."""

needs_validator = pytest.mark.skipif(
    not (find_spec("rocrate_validator") and find_spec("rocrate")), reason="roc-validator or rocrate is not installed"
)


@pytest.fixture
def results(tmp_path: Path, monkeypatch) -> Path:
    """Results of a finished study with two kinds of models, in a folder where it was run."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(yaml.safe_dump(SMALL | {"models": {kind: {} for kind in KINDS}}, sort_keys=False))
    asked = config.load("config.yaml")
    names = ["candidates.csv", "quality.csv", "design.html", "labels/isolated.extxyz", "labels/failed.csv"]
    names += [f"{folder}/{design}.extxyz" for folder in ("designs", "labels") for design in asked.designs]
    for folder in KINDS.values():
        names += [f"{folder}crossval/{table}.csv" for table in ("errors", "predictions", "errors_by_group")]
        files = ("hyperparameters.json", "gp.xml", "gp.xml.sparse")
        names += [f"{folder}models/{design}/{file}" for design in asked.designs for file in files]
    place = Path("results") / asked.study
    for name in [*names, *(f"{folder}{name}" for folder in KINDS.values() for name in AFTER)]:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(f"this is {name}\n")
    (place / "labels/engine.json").write_text('{"engine": "eam", "version": "matscipy 1.0"}')
    configuration = asked.model_dump(mode="json", exclude_none=True)
    for folder in KINDS.values():
        recorded = provenance(configuration, [place / name for name in names])
        (place / folder / "provenance.json").write_text(json.dumps(recorded))
    # Of a design that the configuration has no more, and what the workflow keeps for itself.
    for name in ("designs/OLD.extxyz", "models/OLD/gp.xml", ".made/quality.csv.json", "logs/report.log"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("{}")
    return place


def crate(results: Path, *more: str, status: int = 0) -> Path:
    output = Path("study.crate.zip")
    assert cli.main(["crate", str(results), *GIVEN, "--output", str(output), *more]) == status
    assert output.exists() == (status == 0)
    return output


def references(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(references, value))
    return {value["@id"]} if isinstance(value, dict) else set()


def described(path: Path) -> dict[str, dict[str, Any]]:
    with ZipFile(path) as archive:
        return {entity["@id"]: entity for entity in json.loads(archive.read("ro-crate-metadata.json"))["@graph"]}


def test_every_file_is_described_with_its_checksum_and_is_that_of_the_study(results):
    path = crate(results)
    entities = described(path)
    files = {name: entity for name, entity in entities.items() if entity["@type"] == "File"}
    with ZipFile(path) as archive:
        assert set(archive.namelist()) == {*files, "ro-crate-metadata.json"}
        for name, entity in files.items():
            content = archive.read(name)
            assert entity["sha256"] == hashlib.sha256(content).hexdigest()
            assert entity["contentSize"] == str(len(content))
            assert entity["description"]
            assert name == "config.yaml" or content == (results / name).read_bytes()
        assert config.parse(yaml.safe_load(archive.read("config.yaml"))) == config.load("config.yaml")
    ours = {str(file.relative_to(results)) for file in results.rglob("*") if file.is_file()}
    left = {"designs/OLD.extxyz", "models/OLD/gp.xml", ".made/quality.csv.json", "logs/report.log"}
    assert set(files) == (ours - left) | {"config.yaml"}
    assert {part["@id"] for part in entities["./"]["hasPart"]} == set(files)
    assert "not finished" not in entities["./"]["description"]


def test_every_result_comes_from_one_action_and_every_reference_leads_somewhere(results):
    entities = described(crate(results))
    actions = {name: entity for name, entity in entities.items() if entity["@type"] == "CreateAction"}
    assert list(actions) == ["#design", "#labels", *(f"#{f}{a}" for f in KINDS.values() for a in
                                                     ("models", "crossval", "report"))]  # fmt: skip
    made = [file["@id"] for action in actions.values() for file in action["result"]]
    assert len(made) == len(set(made))
    assert {*made, "config.yaml"} == {name for name, entity in entities.items() if entity["@type"] == "File"}
    for action in actions.values():
        assert action["actionStatus"] == "http://schema.org/CompletedActionStatus"
    assert actions["#labels"]["instrument"] == {"@id": "#engine"}
    assert entities["#engine"]["softwareVersion"] == "matscipy 1.0"
    assert {"@id": "ace/models/OPT/gp.xml"} in actions["#ace/crossval"]["object"]
    assert {"@id": "models/OPT/gp.xml"} not in actions["#ace/crossval"]["object"]
    read = [{"@id": name} for name in ("config.yaml", "designs/OPT.extxyz", "designs/RND.extxyz")]
    assert actions["#labels"]["object"] == read
    for action in actions.values():  # nothing is read by what made it
        assert not references(action["result"]) & references(action["object"])

    for name, entity in entities.items():
        for key, value in entity.items():
            if (name, key) != ("ro-crate-metadata.json", "conformsTo"):
                assert references(value) <= set(entities), (name, key)


def test_two_crates_are_equal_whenever_they_are_made(results):
    first = crate(results).read_bytes()
    Path("study.crate.zip").unlink()
    for file in results.rglob("*"):
        os.utime(file, (1e9, 1e9))
    assert crate(results).read_bytes() == first


def test_licence_date_and_authors_are_those_that_are_given(results):
    people = ("--author", "Ada", "--author", "Josiah Carberry", "--orcid", "0000-0002-1825-0097", "--author", "Emmy")
    entities = described(crate(results, *people))
    root = entities["./"]
    assert [entities[author["@id"]]["name"] for author in root["author"]] == ["Ada", "Josiah Carberry", "Emmy"]
    assert root["author"][1]["@id"] == "https://orcid.org/0000-0002-1825-0097"
    assert root["datePublished"] == "2026-11-28"
    assert entities[root["license"]["@id"]]["name"] == "CC-BY-4.0"
    Path("study.crate.zip").unlink()
    assert "author" not in described(crate(results))["./"]
    Path("study.crate.zip").unlink()
    address = "https://example.org/terms"
    assert described(crate(results, "--license", address))["./"]["license"] == {"@id": address}


def test_a_study_that_is_not_finished_says_what_it_lacks(results, capsys):
    for file in (*results.rglob("report.html"), *results.glob("ace/*.txt")):
        file.unlink()
    entities = described(crate(results))
    assert "it lacked report.html, ace/report.html." in entities["./"]["description"]
    assert "actionStatus" not in entities["#report"]
    assert f"not there yet: {results}/ace/report.html" in capsys.readouterr().err


def ends_with_designs(results: Path) -> None:
    """Leave what a study has that ends with its designs."""
    for file in [file for file in results.rglob("*") if file.is_file()]:
        if file.parent.name != "designs" and file.name not in ("quality.csv", "design.html"):
            file.unlink()


def test_a_study_that_ends_with_its_designs_needs_its_configuration(results, capsys):
    ends_with_designs(results)
    crate(results, status=2)
    assert "give its configuration with --config" in capsys.readouterr().err
    entities = described(crate(results, "--config", "config.yaml"))
    assert [name for name in entities if name.startswith("#")] == ["#design", "#gapdesign"]
    assert "softwareVersion" not in entities["#gapdesign"]
    assert "versions of the programs were not recorded" in entities["./"]["description"]
    other = {**SMALL, "study": "another"}
    Path("other.yaml").write_text(yaml.safe_dump(other))
    Path("study.crate.zip").unlink()
    crate(results, "--config", "other.yaml", status=2)
    assert "--config: it is of the study another" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda path: path.write_text("new"), "it has changed since the provenance was recorded"),
        (lambda path: path.unlink(), "no such file, though the provenance records it"),
    ],
)
def test_a_study_that_runs_again_is_refused(results, capsys, change, sentence):
    change(results / "labels/RND.extxyz")
    crate(results, status=2)
    assert f"{results}/labels/RND.extxyz: {sentence}" in capsys.readouterr().err
    assert not list(Path().glob(".study*"))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--license", "CC-BY"), "--license CC-BY: this is no licence; give one SPDX identifier"),
        (("--license", "MIT OR Apache-2.0"), "this is no licence"),
        (("--license", "LicenseRef-mine"), "this is no licence"),
        (("--license", "http://nowhere"), "this is no licence"),
        (("--date", "28.11.2026"), "--date 28.11.2026: there is no such day"),
        (("--date", "2026-02-30"), "--date 2026-02-30: there is no such day"),
        (("--author", "Ada", "--orcid", "0000-0002-1825-0096"), "--orcid 0000-0002-1825-0096: this is no ORCID iD"),
        (("--author", "Ada", "--orcid", "1825"), "--orcid 1825: this is no ORCID iD"),
        (("--author", " "), "--author: a name is empty"),
        (
            ("--author", "A", "--orcid", "0000-0002-1825-0097", "--author", "B", "--orcid", "0000-0002-1825-0097"),
            "two authors have the same ORCID iD",
        ),
        (("--output", "crate"), "--output crate: a crate is an archive; end its name with .zip."),
        (("--output", "config.zip"), "--output config.zip: it exists already"),
    ],
)
def test_a_mistake_is_one_sentence(results, capsys, more, sentence):
    Path("config.zip").touch()
    crate(results, *more, status=2)
    (told,) = capsys.readouterr().err.splitlines()
    assert sentence in told


def test_no_study_and_no_designs_are_refused(results, capsys):
    crate(Path("results/nothing"), status=2)
    assert "results/nothing: no such folder; name the results of a study" in capsys.readouterr().err
    for file in [*results.glob("designs/*"), *results.rglob("provenance.json")]:
        file.unlink()
    crate(results, "--config", "config.yaml", status=2)
    assert "it has no designs yet; run `snakemake design`" in capsys.readouterr().err


def validate(path: Path) -> dict[str, list[str]]:
    """Return what roc-validator says, by its severity."""
    script = ROOT / "tests/crate_validator.py"
    done = subprocess.run([sys.executable, script, path], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


OPEN = ("endTime", "agent", "url", "absolute URI", "publisher", "affiliation")
"""What the profile recommends and a study does not know."""


@needs_validator
@pytest.mark.parametrize("is_finished", [True, False])
def test_the_validator_finds_all_that_is_required(results, is_finished):
    if not is_finished:
        ends_with_designs(results)
    path = crate(results, "--author", "Ada", "--author", "Emmy", *(() if is_finished else ("--config", "config.yaml")))
    found = validate(path)
    assert found["REQUIRED"] == []
    lacks = [issue for issue in found["RECOMMENDED"] if not any(word in issue for word in OPEN)]
    assert lacks == ([] if is_finished else ["./#gapdesign: The SoftwareApplication SHOULD have a version or"
                                             " softwareVersion"])  # fmt: skip


@needs_validator
def test_the_validator_sees_what_is_broken(results):
    path = crate(results)
    with ZipFile(path) as whole, ZipFile("broken.zip", "w") as broken:
        for name in set(whole.namelist()) - {"quality.csv"}:
            broken.writestr(name, whole.read(name).replace(b'"instrument"', b'"about"'))
    found = " ".join(validate(Path("broken.zip"))["REQUIRED"])
    assert "MUST have an instrument" in found
    assert "'quality.csv'" in found


@needs_validator
def test_rocrate_reads_it(results):
    script = (
        "import sys; from rocrate.rocrate import ROCrate; crate = ROCrate(sys.argv[1]);"
        "print(crate.root_dataset['name'], len(crate.data_entities), len(crate.get_by_type('CreateAction')),"
        " crate.license.id, crate.get('labels/OPT.extxyz')['sha256'])"
    )
    done = subprocess.run([sys.executable, "-c", script, crate(results)], text=True, capture_output=True, check=True)
    name, (*_, files, actions, licence, checksum) = done.stdout, done.stdout.split()
    assert name.startswith("small: training sets")
    assert int(files) == sum(entity["@type"] == "File" for entity in described(Path("study.crate.zip")).values())
    assert int(actions) == 8
    assert licence == "https://spdx.org/licenses/CC-BY-4.0"
    assert checksum == hashlib.sha256((results / "labels/OPT.extxyz").read_bytes()).hexdigest()
