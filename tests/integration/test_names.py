"""Names that mean something else to others: to tables numbers and truth values, to Python modules."""

from __future__ import annotations

import pytest

from gapdesign.files import read_csv, read_frames


@pytest.fixture
def named(workflow, configuration):
    """The small study under such names."""
    old = configuration["prototypes"]
    configuration["prototypes"] = {"2": old["hcp"], "1e5": old["bcc"]}
    configuration["pools"] |= {"names": ["1", "T"], "shard_size": 60}
    configuration["labels"]["chunk"] = 10
    configuration["properties"] = {"compute": ["lattice"]}
    configuration["quality"] = {"subpools": 0}
    configuration["designs"] = {
        "01": {"pool": "1", "method": "maxmin"},
        "nan": {"pool": "T", "method": "random"},
        "None": {"pool": "T", "method": "fps"},
    }
    configuration["comparison"] = {"unions": {"007": ["01", "nan"]}}
    workflow.configure(configuration)
    return workflow


def test_names_that_look_like_numbers_stay_text_to_the_report(named):
    named.run("report", "candidates", "pools", "environments")
    folder = named.folder / "results/small"
    frames = read_frames(folder / "labels/01.extxyz")
    assert {(atoms.info["pool"], atoms.info["config_type"]) for atoms in frames} == {("1", "01")}
    assert {atoms.info["prototype"] for atoms in frames} == {"2", "1e5"}
    errors = read_csv(folder / "crossval/errors.csv")
    assert set(errors["model"]) == set(errors["test_set"]) == {"01", "nan", "None"}
    page = (folder / "report.html").read_text()
    assert all(f">{name}<" in page for name in ("01", "nan", "None"))
    covered = read_csv(folder / "environments/designs.csv")
    assert set(covered["design"]) == {"01", "nan", "None", "007"}
    assert set(covered["pool"]) == {"1", "T"}


def test_a_file_named_like_a_module_is_imported_by_no_job(workflow, monkeypatch):
    """The folder of a study is no place for programs: whoever may write there must not run anything by it."""
    for module in ("numpy", "yaml", "ase", "encodings"):
        (workflow.folder / f"{module}.py").write_text("raise SystemExit('imported from the folder of the study')\n")
    monkeypatch.setenv("PYTHONSAFEPATH", "")  # of whoever types `snakemake`, a program of its own
    python, *rest = workflow.command("results/small/candidates/A/0-30.npz")
    workflow.command = lambda *_: [python, "-P", *rest]
    workflow.run()
    assert (workflow.folder / "results/small/candidates/A/0-30.npz").is_file()
