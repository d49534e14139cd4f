"""The list of packages in pyproject.toml, the lock and the conda files agree, offline."""

import importlib.metadata
import importlib.util
import itertools
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def load_generator():
    """Import envs/generate.py, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "envs/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = load_generator()


@pytest.fixture(scope="module")
def lock_text():
    return (ROOT / generate.LOCK).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pins(lock_text):
    return generate.parse_lock(lock_text)


@pytest.fixture
def copy(tmp_path):
    """The files of the environment alone, to be spoilt."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "envs", tmp_path / "envs")
    return tmp_path


def applicable(lines: list[str]) -> list[Requirement]:
    """The requirements among these that hold on this machine, without extras."""
    requirements = map(Requirement, lines)
    return [each for each in requirements if not each.marker or each.marker.evaluate({"extra": ""})]


def satisfies(version: str, requirement: str) -> bool:
    """Return whether a version obeys a requirement, by packaging's own rules."""
    return Requirement(requirement).specifier.contains(version)


def test_lock_holds_every_listed_package_in_an_allowed_version(pins):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        project["build-system"]["requires"],
    ]
    for requirement in itertools.chain.from_iterable(lists):
        assert satisfies(pins[generate.name_of(requirement)].version, requirement)


def test_lock_names_no_package_as_direct_that_is_not_listed(pins):
    direct = {name for name, pin in pins.items() if "gapdesign" in pin.required_by}
    assert direct == set().union(*generate.read_list().values())


def test_lock_pins_every_entry_with_sha256_hashes(pins, lock_text):
    assert pins.keys() == {re.split(r"[=<>~! ;]", line)[0] for line in lock_text.splitlines() if line[:1] not in " #"}
    for name, pin in pins.items():
        assert re.fullmatch(r"\d[\w.]*", pin.version), name
        assert pin.hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in pin.hashes), name


def test_lock_accounts_for_every_entry(pins):
    """Whatever is pinned is reached from the list, so that the conda files miss nothing."""
    direct = set().union(*generate.read_list().values())
    assert generate.closure(direct, pins) == pins.keys()


@pytest.mark.parametrize("pattern", [r"://", r"\bfile:", r"--\w*(index|find-links|host)", r" @ ", r"^/"])
def test_no_environment_file_says_where_packages_come_from(lock_text, pattern):
    conda = [(ROOT / f"envs/{family}.yaml").read_text(encoding="utf-8") for family in generate.FAMILIES]
    for text in (lock_text, *conda):
        assert not re.search(pattern, text, re.MULTILINE)


@pytest.mark.parametrize("family", generate.FAMILIES)
def test_conda_file_holds_its_families_in_the_versions_of_the_lock(pins, family):
    """Read by a YAML reader, not by the generator's own formatting."""
    document = yaml.safe_load((ROOT / f"envs/{family}.yaml").read_text(encoding="utf-8"))
    *others, pip = document["dependencies"]
    assert [line.split("=")[0] for line in others[:2]] == ["python", "pip"]
    assert others[2:] == list(generate.PROGRAMS.get(family, ()))
    own = generate.WHEELS.get(family, ())
    assert tuple(line for line in pip["pip"] if line in own) == own
    versions = dict(line.split(" ;")[0].split("==") for line in pip["pip"] if line not in own)
    assert versions == {name: pins[name].version for name in versions}
    listed = generate.read_list()
    assert versions.keys() >= listed["core"].union(*(listed[other] for other in generate.FAMILIES[family]))


@pytest.mark.parametrize("family", generate.FAMILIES)
def test_conda_file_is_complete_by_the_installed_metadata(family):
    """All that the packages themselves declare, as installed here, is in the file."""
    document = yaml.safe_load((ROOT / f"envs/{family}.yaml").read_text(encoding="utf-8"))
    own = generate.WHEELS.get(family, ())  # not installed here
    names = {pin.name for pin in applicable([line for line in document["dependencies"][-1]["pip"] if line not in own])}
    for name in names:
        for requirement in applicable(importlib.metadata.requires(name) or []):
            assert generate.normalise(requirement.name) in names, f"{name} needs {requirement.name}"


def test_python_of_the_conda_files_is_one_that_the_project_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert satisfies(generate.INTERPRETER[0].removeprefix("python="), f"python{project['requires-python']}")


def test_conda_files_are_what_the_generator_writes():
    assert generate.outdated() == []


def test_edited_conda_file_is_noticed(copy):
    path = copy / "envs/gap.yaml"
    path.write_text(re.sub(r"numpy==\S+", "numpy==1.0", path.read_text(encoding="utf-8")), encoding="utf-8")
    assert generate.outdated(copy) == ["envs/gap.yaml"]


def test_package_added_to_the_list_alone_is_noticed(copy):
    path = copy / "pyproject.toml"
    text = path.read_text(encoding="utf-8").replace("gap = [", 'gap = ["hiphive", ')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="lacks hiphive"):
        generate.outdated(copy)


def test_package_moved_between_families_is_noticed(copy):
    path = copy / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    text = text.replace('gap = ["cma", ', "gap = [").replace("eam = [", 'eam = ["cma", ')
    path.write_text(text, encoding="utf-8")
    assert generate.outdated(copy) == ["envs/gap.yaml", "envs/eam.yaml"]


def test_lock_with_two_versions_of_a_package_is_refused():
    entry = "numpy=={} ; python_version {} '3.12' \\\n    --hash=sha256:00\n"
    with pytest.raises(ValueError, match="numpy is pinned twice"):
        generate.parse_lock(entry.format("1.0", "<") + entry.format("2.0", ">="))
