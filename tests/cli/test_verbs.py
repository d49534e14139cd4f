"""Each verb in a temporary folder, called as the workflow calls it, on a study of two dozen candidates."""

import contextlib
import io
import json
import re
from base64 import b64encode
from hashlib import sha256
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import read, write

from gapdesign import cli, records
from gapdesign.config import documentation as configdoc
from gapdesign.config import study as config
from gapdesign.config.part import At
from gapdesign.descriptors import Descriptor
from gapdesign.files import read_array, read_csv, read_frames, write_frames
from gapdesign.shards import FeaturePool
from gapdesign.structures import read_batch

STUDY = {
    "study": "tiny",
    "seed": 11,
    "prototypes": {
        "hcp": {"element": "Zr", "lattice": "hcp", "a": 3.232, "c": 5.147},
        "bcc": {"element": "Zr", "lattice": "bcc", "a": 3.574},
    },
    "pools": {"names": ["A", "B"], "size": 24, "shard_size": 10, "strain": {"max": 0.1}},
    "descriptor": {"soap": {"r_cut": 5.0, "n_max": 4, "l_max": 4, "sigma": 0.5}},
    "kernel": {"pair": {"r_cut": 5.0}},
    "budget": 6,
    "designs": {"OPT": {"pool": "A", "method": "maxmin"}, "RND": {"pool": "A", "method": "random"}},
    "labels": {"engine": "eam", "store": "store"},
    "model": {"lbfgs": {"starts": 1, "iterations": 50}},
}
RANGES = [(0, 10), (10, 20), (20, 24)]
DESIGNS = ["OPT", "RND"]
FIGURES = ["worst", "distances", "ranks", "errors", "parity"]


def part(study, verb: str, design: str | None = None) -> str:
    """Return the part of a configuration that the workflow gives a verb."""
    return cli.jobs()[verb].part(At(study, design, "A"))


class Study:
    """A folder with a configuration, in which verbs run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.given = folder / "config.yaml"
        self.given.write_text(yaml.safe_dump(STUDY, sort_keys=False))
        self.config = config.load(str(self.given))
        self.calls: dict[str, list[str]] = {}

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def part(self, verb: str, design: str | None = None) -> str:
        return part(self.config, verb, design)

    def run(self, verb: str, *arguments) -> None:
        """Call a verb; lists become several arguments and names of files paths in the folder."""
        flat = []
        for argument in arguments:
            flat += [str(item) for item in (argument if isinstance(argument, list) else [argument])]
        assert cli.main([verb, *flat]) == 0
        self.calls.setdefault(verb, flat)

    def of_shards(self, pattern: str) -> list[Path]:
        return [self / pattern.format(start=start, stop=stop) for start, stop in RANGES]

    def of_designs(self, pattern: str) -> list[Path]:
        return [self / pattern.format(design=design) for design in DESIGNS]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The study with all that comes before labels, made with the parts of the configuration that jobs get."""
    study = Study(tmp_path_factory.mktemp("study"))
    for start, stop in RANGES:
        shard = study / f"candidates/A/{start}-{stop}.npz"
        limits = ["--start", start, "--stop", stop]
        study.run("candidates", "--config", study.part("candidates"), "--pool", "A", *limits, "--output", shard)
        study.run(
            "descriptors",
            *["--config", study.part("descriptors"), "--candidates", shard],
            *["--output", study / f"descriptors/A/{start}-{stop}.npy"],
            *["--output-sum", study / f"descriptors/A/sums/{start}-{stop}.npy"],
        )
    features, basis = study.of_shards("descriptors/A/{start}-{stop}.npy"), study / "compressed/basis.npz"
    study.run("basis", "--config", study.part("basis"), "--features", features, "--output", basis)
    for path in features:
        compress = ["--config", study.part("compress"), "--basis", basis]
        study.run("compress", *compress, "--features", path, "--output", study / "compressed" / path.name)
    for design in DESIGNS:
        select(study, design, compressed=design == "OPT")
    for design in DESIGNS:
        study.run(
            "quality",
            *["--config", study.part("quality", design), "--design", design],
            *["--features", study.of_shards("descriptors/A/{start}-{stop}.npy")],
            *["--designs", study.of_designs("designs/{design}.npy")],
            *["--structures", study / f"designs/{design}.extxyz", "--output", study / f"quality/{design}.csv"],
        )
    study.run("concatenate", "--tables", study.of_designs("quality/{design}.csv"), "--output", study / "quality.csv")
    return study


def select(study: Study, design: str, *, compressed: bool, folder: str = "designs", threads: int = 1) -> None:
    small = [
        "--basis",
        study / "compressed/basis.npz",
        "--compressed",
        study.of_shards("compressed/{start}-{stop}.npy"),
    ]
    study.run(
        "select",
        *["--config", study.part("select", design), "--design", design],
        *["--candidates", study.of_shards("candidates/A/{start}-{stop}.npz")],
        *["--features", study.of_shards("descriptors/A/{start}-{stop}.npy")],
        *["--sums", study.of_shards("descriptors/A/sums/{start}-{stop}.npy"), *(small if compressed else [])],
        *["--threads", threads, "--output", study / f"{folder}/{design}.extxyz"],
        *["--output-features", study / f"{folder}/{design}.npy"],
        *["--output-reserve", study / f"{folder}/reserve/{design}.extxyz"],
        *["--output-reserve-features", study / f"{folder}/reserve/{design}.npy"],
    )


@pytest.fixture(scope="module")
def labelled(study):
    """The study with its labels."""
    study.run(
        "isolated", "--config", study.part("isolated"), "--store", study / "store", "--output", study / "iso.extxyz"
    )
    for number, design in enumerate(DESIGNS):
        for first, last in pairwise([0, 4, 6]):
            study.run(
                "label",
                *["--config", study.part("label"), "--store", study / "store"],
                *["--designs", study.of_designs("designs/{design}.extxyz")[: number + 1], "--design", design],
                *["--first", first, "--last", last],
                *["--output", study / f"batches/{design}/{first}-{last}.extxyz"],
                *["--output-failed", study / f"batches/{design}/{first}-{last}.failed.csv"],
            )
        study.run(
            "labels",
            *["--config", study.part("labels"), "--store", study / "store", "--design", design],
            *["--designs", study.of_designs("designs/{design}.extxyz")[: number + 1]],
            *["--reserves", study.of_designs("designs/reserve/{design}.extxyz")[: number + 1]],
            *["--labelled", sorted((study / "batches").rglob("*.extxyz"))],
            *["--failed", sorted((study / "batches").rglob("*.failed.csv"))],
            *["--output", study / f"labels/{design}.extxyz"],
            *["--output-failed", study / f"labels/failed/{design}.csv"],
        )
    study.run(
        "failed",
        *["--config", study.part("failed"), "--tables", study.of_designs("labels/failed/{design}.csv")],
        *["--designs", study.of_designs("designs/{design}.extxyz")],
        *["--reserves", study.of_designs("designs/reserve/{design}.extxyz")],
        *["--labelled", study.of_designs("labels/{design}.extxyz")],
        *["--output", study / "labels/failed.csv", "--output-structures", study / "labels/failed.extxyz"],
        *["--output-suspicions", study / "labels/suspicions.csv"],
    )
    return study


@pytest.fixture(scope="module")
def reported(labelled, paged):
    """The whole study."""
    study = labelled
    for design in DESIGNS:
        data = ["--labels", study / f"labels/{design}.extxyz", "--isolated", study / "iso.extxyz"]
        found, model = study / f"models/{design}/hyperparameters.json", study / f"models/{design}/gp.xml"
        study.run("hyperparameters", "--config", study.part("hyperparameters"), *data, "--output", found)
        study.run("fit", "--config", study.part("fit"), *data, "--hyperparameters", found, "--output", model)
        study.run(
            "predict",
            *["--model", design, "--potential", model],
            *["--labels", study.of_designs("labels/{design}.extxyz"), "--output", study / f"crossval/{design}.csv"],
            *["--output-forces", study / f"crossval/{design}.npz"],
        )
    study.run(
        "crossval",
        *["--config", study.part("crossval"), "--predictions", study.of_designs("crossval/{design}.csv")],
        *["--forces", study.of_designs("crossval/{design}.npz")],
        *["--features", study.of_designs("designs/{design}.npy")],
        *["--output-predictions", study / "predictions.csv", "--output-errors", study / "errors.csv"],
        *["--output-groups", study / "errors_by_group.csv", "--output-forces", study / "forces.csv"],
        *["--output-duplicates", study / "duplicates.csv"],
        *["--output-bootstrap", study / "bootstrap.csv"],
    )
    files = [study / "errors.csv", *study.of_designs("models/{design}/gp.xml")]
    record = study / "provenance.json"
    estimate = study / "estimate.json"
    estimate.write_text(json.dumps({"machine": "an abacus", "stages": {"models": {"jobs": 2, "core_hours": 0.5}}}))
    study.run("provenance", "--config", study.part("provenance"), "--files", files, "--output", record)
    tables = ["--errors", study / "errors.csv", "--duplicates", study / "duplicates.csv"]
    designs = ["--designs", study.of_designs("designs/{design}.extxyz")]
    figures = [study / f"figures/{name}{suffix}" for name in FIGURES for suffix in (".svg", ".pdf")]
    drawn = [study / "figures/distances.csv", study / "figures/ranks.csv"]
    study.run(
        "figures",
        *["--config", study.part("figures"), *designs, "--features", study.of_designs("designs/{design}.npy")],
        *[*tables, "--predictions", study / "predictions.csv", "--forces", study / "forces.csv"],
        *["--output", figures, drawn],
    )
    study.run(
        "report",
        *["--config", study.part("report"), *designs, "--figures", figures, "--data", drawn],
        *["--labelled", study.of_designs("labels/{design}.extxyz")],
        *["--hyperparameters", study.of_designs("models/{design}/hyperparameters.json")],
        *["--quality", study / "quality.csv", *tables, "--failed", study / "labels/failed.csv"],
        *["--suspicions", study / "labels/suspicions.csv"],
        *["--bootstrap", study / "bootstrap.csv"],
        *[
            "--provenance",
            record,
            "--estimate",
            estimate,
            "--output",
            study / "report.html",
            "--output-headline",
            study / "headline.txt",
        ],
        *["--predictions", study / "predictions.csv", "--maps", study / "pool/A/map.json"],
        *["--output-map", study / "report-map.html"],
    )
    return study


def test_check_says_what_is_asked_for(study, capsys):
    study.run("check", "--config", study.given)
    assert capsys.readouterr().out == (
        "tiny: 2 pools of 24 candidates, 3 shards each (strain)\n"
        "  OPT: 6 structures of pool A by maxmin\n"
        "  RND: 6 structures of pool A by random\n"
        "  prototype hcp: Zr2, 2 atoms in 46.56 cubic angstrom, nearest 3.179 angstrom apart\n"
        "  prototype bcc: Zr, 1 atom in 22.83 cubic angstrom, nearest 3.095 angstrom apart\n"
        "labels from eam; 2 models (gap), 4 cross-validations\n"
    )


def test_document_writes_both_documents(tmp_path):
    schema, page = tmp_path / "a/schema.json", tmp_path / "b/README.md"
    assert cli.main(["document", "--output-schema", str(schema), "--output-page", str(page)]) == 0
    assert schema.read_text() == configdoc.schema()
    assert page.read_text() == configdoc.page()


@pytest.mark.parametrize("index", [0, 9, 10, 23])
def test_a_candidate_printed_is_the_one_in_its_shard(study, index, capsys):
    study.run("candidate", "--config", study.given, "--pool", "A", "--index", index)
    printed = read(io.StringIO(capsys.readouterr().out), format="extxyz")
    start, stop = next(limits for limits in RANGES if limits[0] <= index < limits[1])
    held = read_batch(study / f"candidates/A/{start}-{stop}.npz").atoms(index - start)
    np.testing.assert_allclose(printed.positions, held.positions, atol=1e-8)
    np.testing.assert_allclose(printed.cell[:], held.cell[:], atol=1e-8)
    assert printed.numbers.tolist() == held.numbers.tolist()
    assert (printed.info["pool"], printed.info["candidate"]) == ("A", index)
    assert printed.info["prototype"] == held.info["prototype"]
    np.testing.assert_allclose(np.ravel(printed.info["deformation"]), held.info["deformation"], atol=1e-8)


def test_a_shard_made_with_the_whole_configuration_is_that_made_with_its_part(study, tmp_path):
    for config_of in (study.given, study.part("candidates")):
        output = tmp_path / f"{len(str(config_of))}.npz"
        limits = ["--start", 10, "--stop", 20]
        study.run("candidates", "--config", config_of, "--pool", "A", *limits, "--output", output)
        assert output.read_bytes() == (study / "candidates/A/10-20.npz").read_bytes()


def test_descriptors_are_those_of_the_library(study):
    describe = Descriptor(study.config.descriptor, study.config.kernel.pair, [40])
    batch = read_batch(study / "candidates/A/20-24.npz")
    assert np.array_equal(read_array(study / "descriptors/A/20-24.npy"), describe.features(batch))


def test_sums_are_those_of_the_features(study):
    for features, sums in zip(
        study.of_shards("descriptors/A/{start}-{stop}.npy"),
        study.of_shards("descriptors/A/sums/{start}-{stop}.npy"),
        strict=True,
    ):
        mean = np.asarray(read_array(features), dtype=float).sum(axis=0)
        np.testing.assert_allclose(read_array(sums) / 2**36, mean, atol=1e-9)
        assert read_array(sums).dtype == np.int64


def test_compressed_shards_have_a_row_a_candidate_and_fewer_numbers(study):
    features = FeaturePool(study.of_shards("descriptors/A/{start}-{stop}.npy"))
    compressed = FeaturePool(study.of_shards("compressed/{start}-{stop}.npy"))
    assert compressed.size == features.size == 24
    assert compressed.dimension < features.dimension


@pytest.mark.parametrize("design", DESIGNS)
def test_a_design_holds_its_ranks_in_order_with_their_features(study, design):
    frames = read_frames(study / f"designs/{design}.extxyz")
    pool = FeaturePool(study.of_shards("descriptors/A/{start}-{stop}.npy"))
    assert [atoms.info["rank"] for atoms in frames] == list(range(6))
    candidates = [atoms.info["candidate"] for atoms in frames]
    assert len(set(candidates)) == 6
    assert np.array_equal(read_array(study / f"designs/{design}.npy"), pool.rows(candidates))
    assert {atoms.info["pool"] for atoms in frames} == {"A"}
    covariance, rows = study.config.covariance(), pool.rows(candidates)
    for rank in range(1, 6):
        expected = np.sqrt(covariance.distance2(rows[:rank], rows[rank]).min())
        assert frames[rank].info["distance"] == pytest.approx(expected, rel=1e-7)
    assert all(("outside" in atoms.info) == (design == "OPT") for atoms in frames)


def test_a_max_min_design_is_the_same_with_another_basis_and_more_threads(study, tmp_path):
    other = tmp_path / "basis.npz"
    features = study.of_shards("descriptors/A/{start}-{stop}.npy")
    study.run("basis", "--config", study.part("basis"), "--features", features[2], "--output", other)
    small = []
    for path in features:
        small.append(tmp_path / path.name)
        compress = ["--config", study.part("compress"), "--basis", other]
        study.run("compress", *compress, "--features", path, "--output", small[-1])
        assert small[-1].read_bytes() != (study / "compressed" / path.name).read_bytes()
    study.run(
        "select",
        *["--config", study.given, "--design", "OPT", "--threads", 2, "--memory", 256],
        *["--candidates", study.of_shards("candidates/A/{start}-{stop}.npz"), "--features", features],
        *["--sums", study.of_shards("descriptors/A/sums/{start}-{stop}.npy")],
        *["--basis", other, "--compressed", small],
        *["--output", tmp_path / "OPT.extxyz", "--output-features", tmp_path / "again.npy"],
        *["--output-reserve", tmp_path / "reserve.extxyz", "--output-reserve-features", tmp_path / "reserve.npy"],
    )
    assert (tmp_path / "OPT.extxyz").read_bytes() == (study / "designs/OPT.extxyz").read_bytes()
    assert (tmp_path / "again.npy").read_bytes() == (study / "designs/OPT.npy").read_bytes()


def test_a_max_min_design_is_proved_and_one_that_was_touched_is_not(study, capsys):
    study.run("verify", "--config", study.given, study / "designs/OPT.extxyz")
    said = capsys.readouterr().out
    assert said.endswith("OPT.extxyz: exact; 6 ranks against all 24 candidates of pool A\n")
    frames = read_frames(study / "designs/OPT.extxyz")
    frames[2].info["candidate"], frames[3].info["candidate"] = (frames[k].info["candidate"] for k in (3, 2))
    write_frames(study / "touched/OPT.extxyz", frames)
    assert cli.main(["verify", "--config", str(study.given), str(study / "touched/OPT.extxyz")]) == 1
    assert "touched/OPT.extxyz: not exact; rank 2: " in capsys.readouterr().err
    assert cli.main(["verify", "--config", str(study.given), str(study / "designs/RND.extxyz")]) == 2
    assert (
        "chosen by random; only designs by greedy_medoids or information or maxmin, and polished ones, can be verified."
        in capsys.readouterr().err
    )


def test_quality_has_a_row_a_design_and_the_columns_of_the_contract(study):
    table = read_csv(study / "quality.csv")
    assert table["design"].tolist() == DESIGNS
    assert table["method"].tolist() == ["maxmin", "random"]
    assert table.columns.tolist() == [
        *["design", "method", "pool", "size", "nearest_min", "nearest_median", "nearest_mean"],
        *["overlapping_share", "orthogonal_share", "covering_radius", "covering_mean", "log_det", "condition"],
        *["posterior_std_max", "posterior_std_mean", "label_core_hours"],
        *[f"nearest_{design}_{what}" for design in DESIGNS for what in ("mean", "median", "max")],
    ]
    assert np.isnan(table.loc[0, "nearest_OPT_mean"])
    assert table.loc[0, "nearest_min"] > table.loc[1, "nearest_min"]
    # The certificate at the last rank is the covering radius.
    outside = read_frames(study / "designs/OPT.extxyz")[-1].info["outside"]
    assert table.loc[0, "covering_radius"] == pytest.approx(outside, rel=1e-6)


def test_labels_are_put_to_every_rank_once(labelled):
    isolated = read_frames(labelled / "iso.extxyz")
    assert [atoms.get_chemical_symbols() for atoms in isolated] == [["Zr"]]
    candidates = {}
    for design in DESIGNS:
        frames = read_frames(labelled / f"labels/{design}.extxyz")
        assert [atoms.info["rank"] for atoms in frames] == list(range(6))
        assert {atoms.info["config_type"] for atoms in frames} == {design}
        for atoms in frames:
            assert np.shape(np.ravel(atoms.info["REF_virial"])) == (9,)
            assert atoms.arrays["REF_forces"].shape == (len(atoms), 3)
        candidates[design] = {atoms.info["candidate"] for atoms in frames}
    batches = [len(read_frames(path)) for path in sorted((labelled / "batches").rglob("*.extxyz"))]
    assert sum(batches) == len(candidates["OPT"] | candidates["RND"])
    stored = list((labelled / "store").rglob("*.json"))
    assert len(stored) == sum(batches) + 1


def test_no_failures_are_a_table_without_rows(labelled):
    table = read_csv(labelled / "labels/failed.csv")
    assert table.columns.tolist() == [
        *["design", "rank", "pool", "candidate", "engine", "reason", "attempts", "directory"]
    ]
    assert len(table) == 0
    assert read_frames(labelled / "labels/failed.extxyz") == []


def test_label_refuses_a_design_that_it_was_not_given(labelled, tmp_path, capsys):
    arguments = ["--config", labelled.part("label"), "--store", labelled / "store"]
    arguments += ["--designs", labelled / "designs/OPT.extxyz", "--design", "RND", "--first", 0, "--last", 4]
    arguments += ["--output", tmp_path / "a", "--output-failed", tmp_path / "b"]
    assert cli.main(["label", *map(str, arguments)]) == 2
    assert capsys.readouterr().err == (
        "gapdesign label: --design RND: there is no such design in --designs; choose from OPT.\n"
    )


def test_labels_that_nothing_got_are_an_error(labelled, tmp_path, capsys):
    """A bound on distances that no crystal keeps refuses every structure, the reserve's too."""
    (tmp_path / "none.extxyz").write_text("")
    (tmp_path / "none.csv").write_text("design,rank,pool,candidate,engine,reason,attempts,directory\n")
    given = json.loads(labelled.part("labels"))
    given["gate"]["min_distance"] = 1.9
    arguments = ["--config", json.dumps(given), "--store", labelled / "store", "--design", "OPT"]
    arguments += ["--designs", labelled / "designs/OPT.extxyz", "--reserves", labelled / "designs/reserve/OPT.extxyz"]
    arguments += ["--labelled", tmp_path / "none.extxyz", "--failed", tmp_path / "none.csv"]
    arguments += ["--output", tmp_path / "x.extxyz", "--output-failed", tmp_path / "x.csv"]
    assert cli.main(["labels", *map(str, arguments)]) == 2
    assert "OPT: none of its structures got a label; the first: The volume of the cell" in capsys.readouterr().err
    assert cli.main(["labels", *map(str, arguments), "--max-failed", "0.5"]) == 1
    assert "labels.max_failed: 4 structures of OPT, which has 6, got no label" in capsys.readouterr().err
    assert not (tmp_path / "x.extxyz").exists() and not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("reserve", [0, 3, 18])
def test_a_design_does_not_depend_on_what_it_has_in_reserve(study, tmp_path, design, reserve):
    """The reserve goes on where the design ends, as the design of a larger budget would."""
    given = json.loads(study.part("select", design))
    for name, changes in (("reserved", {"reserve": reserve}), ("longer", {"budget": 6 + reserve})):
        given_to_job = json.dumps(given | {"reserve": 0} | changes)
        small = ["--basis", study / "compressed/basis.npz", "--compressed"]
        small += study.of_shards("compressed/{start}-{stop}.npy")
        study.run(
            "select",
            *["--config", given_to_job, "--design", design],
            *["--candidates", study.of_shards("candidates/A/{start}-{stop}.npz")],
            *["--features", study.of_shards("descriptors/A/{start}-{stop}.npy")],
            *["--sums", study.of_shards("descriptors/A/sums/{start}-{stop}.npy")],
            *(small if design == "OPT" else []),
            *["--output", tmp_path / f"{name}.extxyz", "--output-features", tmp_path / f"{name}.npy"],
            *[
                "--output-reserve",
                tmp_path / f"{name}-reserve.extxyz",
                "--output-reserve-features",
                tmp_path / f"{name}-reserve.npy",
            ],
        )
    for suffix in ("extxyz", "npy"):
        made = (tmp_path / f"reserved.{suffix}").read_bytes()
        assert made == (study / f"designs/{design}.{suffix}").read_bytes()
    both = (tmp_path / "reserved.extxyz").read_bytes() + (tmp_path / "reserved-reserve.extxyz").read_bytes()
    assert both == (tmp_path / "longer.extxyz").read_bytes()
    features = [np.load(tmp_path / f"{name}.npy") for name in ("reserved", "reserved-reserve", "longer")]
    np.testing.assert_array_equal(np.concatenate(features[:2]), features[2])
    ranks = [atoms.info["rank"] for atoms in read_frames(tmp_path / "reserved-reserve.extxyz")]
    assert ranks == list(range(6, 6 + reserve))


def test_concatenate_keeps_order_columns_and_text(tmp_path):
    (tmp_path / "a.csv").write_text("design,rank,value\n")
    (tmp_path / "b.csv").write_text("design,rank,value\n007,3,0.1\nNA,4,\n")
    (tmp_path / "c.csv").write_text("design,rank,value\nOPT,1,2.5e-310\n")
    arguments = ["--tables", *(str(tmp_path / f"{name}.csv") for name in "abc"), "--output", str(tmp_path / "d.csv")]
    assert cli.main(["concatenate", *arguments]) == 0
    assert (tmp_path / "d.csv").read_text() == "design,rank,value\n007,3,0.1\nNA,4,\nOPT,1,2.5e-310\n"


def test_the_cross_validation_is_that_of_the_predictions(reported):
    predictions, errors = read_csv(reported / "predictions.csv"), read_csv(reported / "errors.csv")
    assert predictions.columns.tolist() == [
        *["model", "test_set", "rank", "pool", "candidate", "n_atoms", "reference_ev", "predicted_ev"],
        *["error_mev", "duplicate", "config_type", "rmse_force_mev_a", "max_force_mev_a", "rmse_virial_mev"],
        *(f"reference_virial_{place}_ev" for place in ("xx", "yy", "zz", "yz", "xz", "xy")),
        *(f"predicted_virial_{place}_ev" for place in ("xx", "yy", "zz", "yz", "xz", "xy")),
    ]
    assert len(predictions) == 4 * 6
    pairs = [(model, test) for model in DESIGNS for test in DESIGNS]
    assert list(zip(errors["model"], errors["test_set"], strict=True)) == pairs
    own = predictions[(predictions["model"] == "OPT") & (predictions["test_set"] == "OPT")]
    assert own["duplicate"].all()
    assert errors["max_mev"][0] == own["error_mev"].abs().max()
    reference = [atoms.info["REF_energy"] / len(atoms) for atoms in read_frames(reported / "labels/OPT.extxyz")]
    np.testing.assert_allclose(own["reference_ev"], reference, rtol=1e-12)
    # Both designs are of pool A: what they share is flagged as seen.
    shared = set(own["candidate"]) & set(predictions[predictions["test_set"] == "RND"]["candidate"])
    duplicates = read_csv(reported / "duplicates.csv")
    assert duplicates["n_duplicates"].tolist() == [len(shared)] * 2


def test_provenance_has_the_checksums_and_the_configuration_but_no_time_and_no_host(reported):
    text = (reported / "provenance.json").read_text()
    record = json.loads(text)
    for path, checksum in record["files"].items():
        assert sha256(Path(path).read_bytes()).hexdigest() == checksum
    assert len(record["files"]) == 3
    assert record["configuration"] == json.loads(reported.config.model_dump_json(exclude_none=True))
    assert record["seed"] == 11
    assert re.fullmatch(r"\d+\.\d+.*", record["packages"]["numpy"])
    assert not re.search(r"\d\d:\d\d:\d\d", text)


def test_figures_and_page_are_written(reported):
    for name in FIGURES:
        assert (reported / f"figures/{name}.svg").read_text().rstrip().endswith("</svg>")
        document = (reported / f"figures/{name}.pdf").read_bytes()
        assert document.startswith(b"%PDF")
        assert b64encode(document).decode() in (reported / "report.html").read_text()
    data = (reported / "figures/ranks.csv").read_bytes()
    assert b64encode(data).decode() in (reported / "report.html").read_text()
    page = (reported / "report.html").read_text()
    assert "tiny" in page
    assert page.rstrip().endswith("</html>")


def test_the_headline_is_printed(reported, capsys):
    reported.run("headline", reported.folder)
    assert capsys.readouterr().out == (reported / "headline.txt").read_text()
    assert (reported / "headline.txt").read_text().strip()


def test_a_figure_that_is_not_drawn_is_refused(reported, tmp_path, capsys):
    arguments = ["--config", reported.part("figures"), "--designs", *reported.of_designs("designs/{design}.extxyz")]
    arguments += ["--features", *reported.of_designs("designs/{design}.npy"), "--errors", reported / "errors.csv"]
    arguments += ["--duplicates", reported / "duplicates.csv", "--predictions", reported / "predictions.csv"]
    arguments += ["--forces", reported / "forces.csv"]
    assert cli.main(["figures", *map(str, arguments), "--output", str(tmp_path / "wrost.svg")]) == 2
    assert "there is no figure 'wrost'; choose from" in capsys.readouterr().err
    assert cli.main(["figures", *map(str, arguments), "--output", str(tmp_path / "worst.png")]) == 2
    assert "figures are written as .svg and .pdf" in capsys.readouterr().err
    assert cli.main(["figures", *map(str, arguments), "--output", str(tmp_path / "worst.csv")]) == 2
    assert "there is no table 'worst' of a figure; choose from distances, ranks" in capsys.readouterr().err


def test_nothing_half_written_is_left_anywhere(reported):
    assert not [path for path in reported.folder.rglob(".*") if path.is_file()]


def test_progress_goes_to_the_log_and_not_into_results(study, tmp_path):
    output, log = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(log):
        limits = ["--start", 0, "--stop", 3]
        arguments = ["--config", study.given, "--pool", "B", *limits, "--output", tmp_path / "0-3.npz"]
        study.run("candidates", *arguments)
    assert output.getvalue() == ""
    assert log.getvalue().startswith("3 candidates of pool B")


@pytest.fixture(scope="module")
def paged(study):
    """The study with its design page."""
    features = study.of_shards("descriptors/A/{start}-{stop}.npy")
    for design in DESIGNS:
        small = ["--basis", study / "compressed/basis.npz"]
        small += ["--compressed", study.of_shards("compressed/{start}-{stop}.npy")]
        study.run(
            *["regrow", "--config", study.part("regrow", design), "--design", design, "--features", features],
            *[*(small if design == "OPT" else []), "--output", study / f"regrown/{design}.csv"],
        )
    for folder, memory in (("pool", 1024), ("frugal", 64)):
        study.run(
            *["curves", "--config", study.part("curves"), "--pool", "A", "--features", features],
            *["--candidates", study.of_shards("candidates/A/{start}-{stop}.npz"), "--memory", memory],
            *["--designs", study.of_designs("designs/{design}.extxyz")],
            *["--regrown", study.of_designs("regrown/{design}.csv"), "--output", study / f"{folder}/curves.csv"],
            *["--output-members", study / f"{folder}/members.csv"],
            *["--output-coverage", study / f"{folder}/coverage.csv", "--output-pools", study / f"{folder}/pools.csv"],
            *["--output-groups", study / f"{folder}/groups.csv"],
            *["--output-map", study / f"{folder}/A/map.json"],
        )
    tables = [[f"--{t}", study / f"pool/{t}.csv", f"--output-{t}", study / f"quality/{t}.csv"] for t in TABLES]
    study.run(
        *["page", "--config", study.part("page"), *chain(*tables), "--quality", study / "quality.csv"],
        *["--designs", study.of_designs("designs/{design}.extxyz")],
        *["--features", study.of_designs("designs/{design}.npy"), "--output", study / "design.html"],
        *["--maps", study / "pool/A/map.json", "--output-map", study / "design-map.html"],
    )
    return study


TABLES = ["curves", "members", "coverage", "pools", "groups"]


def test_a_design_of_half_the_pool_is_what_a_pool_half_as_large_gives(paged):
    """Max-min from the first 12 of 24 candidates, by the plain greedy loop."""
    features = np.vstack([read_array(path) for path in paged.of_shards("descriptors/A/{start}-{stop}.npy")])[:12]
    covariance = paged.config.covariance()
    chosen = read_csv(paged / "regrown/OPT.csv")
    assert set(chosen["candidates"]) == {12} and chosen["rank"].tolist() == list(range(6))
    ranks = [int(chosen["candidate"][0])]
    while len(ranks) < 6:
        distances = np.array([covariance.distance2(features, features[rank]) for rank in ranks]).min(axis=0)
        ranks.append(int(distances.argmax()))
    assert chosen["candidate"].tolist() == ranks
    random = read_csv(paged / "regrown/RND.csv")["candidate"]
    assert len(set(random)) == 6 and random.max() < 12


def test_the_curves_end_where_quality_is(paged):
    """A pool smaller than the sample is measured against all of it, as in quality.csv."""
    curves, quality = read_csv(paged / "quality/curves.csv"), read_csv(paged / "quality.csv").set_index("design")
    for design in DESIGNS:
        whole = curves[(curves["design"] == design) & (curves["candidates"] == 24) & (curves["size"] == 6)]
        for name in ("covering_radius", "nearest_min", "log_det", "posterior_std_mean", "label_core_hours"):
            assert whole[name].item() == pytest.approx(quality.loc[design, name], rel=1e-7)
    draws = curves[curves["design"] == ""]
    assert draws["draw"].nunique() == 20 and set(draws["candidates"]) == {12, 24}
    assert {"quality/curves.csv", "quality/members.csv"} <= {
        str(path.relative_to(paged.folder)) for path in paged.folder.rglob("*.csv")
    }


def test_the_tables_of_the_page_do_not_depend_on_memory(paged):
    for table in (*(f"{name}.csv" for name in TABLES), "A/map.json"):
        assert (paged / f"pool/{table}").read_bytes() == (paged / f"frugal/{table}").read_bytes()


def test_the_map_has_every_candidate_of_a_small_pool_and_its_errors_later(reported):
    found = json.loads((reported / "pool/A/map.json").read_text())
    values = {name: held["values"] for name, held in found["properties"].items()}
    assert set(values["candidate"]) == set(range(24)) and len(found["structures"]) >= 24
    for name in DESIGNS:
        frames = read_frames(reported / f"designs/{name}.extxyz")
        mine = [place for place, kind in enumerate(values["set"]) if kind == f"design {name}"]
        ranks = {int(values["rank"][place]): found["structures"][place] for place in mine}
        for rank, atoms in enumerate(frames):
            np.testing.assert_allclose(ranks[rank]["z"], atoms.positions[:, 2], atol=6e-4)
    assert "energy error of OPT" not in (reported / "design-map.html").read_text()
    assert "energy error of OPT" in (reported / "report-map.html").read_text()


def test_an_existing_set_lies_on_the_map_where_the_same_candidates_do(paged, tmp_path):
    existing = tmp_path / "existing.extxyz"
    write(
        existing,
        [Atoms(a.numbers, a.positions, cell=a.cell, pbc=True) for a in read_frames(paged / "designs/RND.extxyz")],
    )
    given = paged.config.model_dump(mode="json", exclude_none=True)
    given["designs"]["OPT"]["existing"] = str(existing)
    part = cli.jobs()["curves"].part(At(config.parse(given), pool_name="A"))
    paged.run(
        *["curves", "--config", part, "--pool", "A", "--features", paged.of_shards("descriptors/A/{start}-{stop}.npy")],
        *["--candidates", paged.of_shards("candidates/A/{start}-{stop}.npz"), "--memory", 1024],
        *["--designs", paged.of_designs("designs/{design}.extxyz"), "--output", tmp_path / "curves.csv"],
        *["--output-members", tmp_path / "members.csv", "--output-coverage", tmp_path / "coverage.csv"],
        *["--output-pools", tmp_path / "pools.csv", "--output-groups", tmp_path / "groups.csv"],
        *["--output-map", tmp_path / "map.json"],
    )
    found = json.loads((tmp_path / "map.json").read_text())
    assert "all 6 existing structures" in found["meta"]["description"]
    kinds = np.array(found["properties"]["set"]["values"])
    for name in ("component 1", "component 2"):
        values = np.array(found["properties"][name]["values"])
        assert values[kinds == "existing"] == pytest.approx(values[kinds == "design RND"][::-1], abs=1e-4)


def test_the_page_is_written(paged):
    page = (paged / "design.html").read_text()
    assert "tiny" in page and page.rstrip().endswith("</html>")
    assert "from 12 to 24 candidates" in page
    ranks = (paged / "quality/coverage.csv").read_text()
    assert re.search(r"^A,OPT,0,\d+,", ranks, re.MULTILINE)


def test_a_design_that_has_no_smaller_pool_is_refused(study, tmp_path, capsys):
    given = json.loads(study.part("regrow", "RND")) | {"subpools": []}
    arguments = ["--config", json.dumps(given), "--design", "RND", "--output", str(tmp_path / "x.csv")]
    arguments += ["--features", *map(str, study.of_shards("descriptors/A/{start}-{stop}.npy"))]
    assert cli.main(["regrow", *arguments]) == 2
    assert "gives it no smaller pool" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--pool", "C"], "--pool C: there is no such pool; choose from A, B."),
        (["--count", "25"], "--count 25: give 2 to 24, the size of the pool."),
        (["--sigma", "0.3", "-1"], "--sigma -1.0: it should be greater than or equal to 0.01."),
        (["--zeta", "0"], "--zeta 0: it should be greater than or equal to 1."),
        (["--r-cut", "1"], "descriptor.soap.r_cut: 1.0 does not reach the nearest neighbour"),
    ],
)
def test_tune_refuses_what_it_cannot_try(study, tmp_path, capsys, arguments, sentence):
    where = ["--output", str(tmp_path / "tune.csv"), "--count", "3"]
    assert cli.main(["tune", "--config", str(study.given), *where, *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "tune.csv").exists()


def test_tune_writes_its_tables_and_its_figure(study, tmp_path):
    outputs = ["--output", tmp_path / "tune.csv", "--output-radial", tmp_path / "radial.csv"]
    outputs += ["--output-figure", tmp_path / "tune.svg", "--count", 4]
    study.run("tune", "--config", study.given, "--sigma", 0.4, 0.6, "--zeta", 2, 4, *outputs)
    table = read_csv(tmp_path / "tune.csv")
    assert list(zip(table["sigma"], table["zeta"], strict=True)) == [(0.4, 2), (0.4, 4), (0.6, 2), (0.6, 4)]
    assert len(read_csv(tmp_path / "radial.csv")) == 4 * len(np.arange(1.5, 4.5 + 1e-9, 0.02))
    assert "visibility" in (tmp_path / "tune.svg").read_text()


def test_tune_makes_its_pool_once_and_describes_it_once_a_soap(study, tmp_path, monkeypatch):
    from gapdesign import samplers
    from gapdesign.descriptors import Descriptor

    calls = []

    def count(place, name):
        work = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *given, **named: calls.append(name) or work(*given, **named))

    count(samplers, "sample")
    count(Descriptor, "features")
    scanned = ["--count", 4, "--sigma", 0.4, 0.6, "--zeta", 2, 4]
    study.run("tune", "--config", study.given, *scanned, "--output", tmp_path / "tune.csv")
    assert calls == ["sample", "features", "features"]


def test_environments_are_described_and_compared_with_the_pool_and_its_designs(study):
    """A pool of 24 crystals of one or two atoms: enough to learn 8 environments from."""
    shards = study.of_shards("candidates/A/{start}-{stop}.npz")
    described = study / "environments/A.npz"
    study.run("environments", "--config", study.part("environments"), "--candidates", shards, "--output", described)
    given = config.parse(STUDY | {"comparison": {"learnt": [8], "splits": 3}})
    outputs = ["--output", study / "pools.csv", "--output-quantiles", study / "quantiles.csv"]
    outputs += ["--output-figure", study / "pools.svg"]
    study.run("pools", "--config", part(given, "pools"), "--environments", described, *outputs)
    row = read_csv(study / "pools.csv").iloc[0]
    assert row[["train", "test", "learnt", "asked"]].tolist() == ["A", "A", 8, 4]
    assert 0 < row["median"] <= row["max"]
    flat = ["--output", study / "coverage.csv", "--output-correlations", study / "correlations.csv"]
    for name in ("entropies", "histograms", "radial"):
        flat += [f"--output-{name}", study / f"{name}.csv", f"--output-{name}-figure", study / f"{name}.svg"]
    designs = study.of_designs("designs/{design}.extxyz")
    study.run("coverage", "--config", study.part("coverage"), "--environments", described, "--designs", designs, *flat)
    table = read_csv(study / "coverage.csv")
    assert table["design"].tolist() == DESIGNS
    atoms = [sum(map(len, read(path, ":"))) for path in designs]
    assert table["learnt"].tolist() == atoms


READING = [
    *("descriptors", "basis", "compress", "select", "quality", "label", "labels", "failed", "hyperparameters", "fit"),
    *("predict", "crossval", "figures", "provenance", "report", "concatenate", "regrow", "curves", "page"),
]


@pytest.mark.parametrize("verb", READING)
def test_a_damaged_input_is_refused_or_was_not_read(reported, paged, tmp_path, capsys, verb):
    """The first file of every argument; whatever is not refused has no influence."""
    flag, inputs, arguments = "", {}, [verb]
    for argument in reported.calls[verb]:
        flag = argument if argument.startswith("--") else flag
        is_output = flag.startswith("--output") and argument != flag
        arguments.append(str(tmp_path / Path(argument).name) if is_output else argument)
        is_input = not is_output and not argument.startswith(("--", "{"))
        if is_input and records.place(argument).is_file():
            inputs.setdefault(flag, Path(argument))
    assert inputs

    def run() -> tuple[int, dict[str, bytes]]:
        return cli.main(arguments), {path.name: path.read_bytes() for path in tmp_path.glob("*.*") if path.is_file()}

    whole = None
    for path in inputs.values():
        content = path.read_bytes()
        place = len(content) * 3 // 4
        for damaged in (
            content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :],
            b"".join(content.splitlines(keepends=True)[:-1]),
        ):
            capsys.readouterr()
            try:
                path.write_bytes(damaged)
                status, written = run()
            finally:
                path.write_bytes(content)
            said = capsys.readouterr().err.splitlines()
            if status == 0:
                whole = whole or run()
                assert (status, written) == whole, path
            else:
                assert status == 2
                assert said[-1].startswith(f"gapdesign {verb}: {path}: "), said
