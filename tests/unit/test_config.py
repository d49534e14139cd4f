"""The configuration: mistakes answered in one sentence, documents that agree with it, parts that jobs depend on."""

import copy
import json
from pathlib import Path

import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.io import write

from gapdesign.config import documentation as configdoc
from gapdesign.config import study as config
from gapdesign.config.options import Options
from gapdesign.errors import InputError

ROOT = Path(__file__).parents[2]
ADDITIONS = sorted(
    path for path in (ROOT / "config/studies").glob("*/*.yaml") if path.parent.with_suffix(".yaml").exists()
)
STUDIES = sorted(set((ROOT / "config").rglob("*.yaml")) - set(ADDITIONS))


def changed(path: str, value, base=None) -> dict:
    """The default configuration with one key set; a value of ... takes the key away."""
    given = copy.deepcopy(base or yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    *steps, last = path.split("/")
    block = given
    for step in steps:
        block = block.setdefault(step, {})
    if value is ...:
        del block[last]
    else:
        block[last] = value
    return given


def refusal(given) -> str:
    with pytest.raises(InputError) as caught:
        config.check(config.parse(given))
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith((".", "?"))
    assert "pydantic" not in sentence.lower()
    return sentence


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_in_the_repository_is_valid_and_fits_the_schema(path, tmp_path, monkeypatch):
    import jsonschema

    named = config.parse(yaml.safe_load(path.read_text()))
    mine = [path for pool in named.pools.names for path in named.pools.of(pool).structures]
    for file in (tmp_path / name for name in (*mine, *(design.existing for design in named.designs.values())) if name):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.chdir(tmp_path)
    study = config.load(str(path))
    assert study.designs
    given = yaml.safe_load(path.read_text())
    jsonschema.validate(given, json.loads(configdoc.schema()), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("path", ADDITIONS, ids=lambda path: path.stem)
def test_what_is_added_to_a_study_leaves_it_valid(path, tmp_path, monkeypatch):
    """As Snakemake merges several files: `config/studies/x/y.yaml` is for `config/studies/x.yaml`."""
    from snakemake.utils import update_config

    given = yaml.safe_load(path.parent.with_suffix(".yaml").read_text())
    update_config(given, yaml.safe_load(path.read_text()))
    monkeypatch.chdir(tmp_path)
    for own in given["pools"].get("overrides", {}).values():
        if read := own.get("file", {}).get("path"):
            (tmp_path / read).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / read).touch()
    study = config.parse(given)
    config.check(study)
    assert set(study.pools.overrides) <= set(study.pools.names)


def test_descriptors_of_one_element_do_not_compare_alloys():
    given = changed("prototypes/cu", {"element": "Cu", "lattice": "fcc", "a": 3.61})
    assert refusal(given | {"comparison": {"descriptor": {"kind": "soap"}}}) == (
        "comparison.descriptor.kind: 'soap' works for one element only; choose 'snap'."
    )


def test_the_default_study_is_the_one_of_the_contract():
    study = config.load(str(ROOT / "config/config.yaml"))
    assert (study.study, study.seed, study.budget) == ("zr-demo", 2025, 100)
    assert (study.pools.names, study.pools.size, study.pools.shard_size) == (("A", "B"), 5000, 1250)
    assert {name: (design.pool, design.method) for name, design in study.designs.items()} == {
        "OPT1": ("A", "maxmin"),
        "OPT2": ("B", "maxmin"),
        "RND1": ("A", "random"),
        "RND2": ("B", "random"),
    }
    assert study.species() == [40]
    assert study.symbols() == ["Zr"]
    assert study.covariance().layout.spectrum == 605


MISTAKES = [
    ("buget", 50, r"buget: unknown key; did you mean 'budget'\?"),
    ("descriptor/soap/rcut", 5, r"descriptor\.soap\.rcut: unknown key; did you mean 'r_cut'\?"),
    ("designs/OPT1/methd", "maxmin", r"designs\.OPT1\.methd: unknown key; did you mean 'method'\?"),
    ("prototypes/hcp/latice", "hcp", r"prototypes\.hcp\.latice: unknown key; did you mean 'lattice'\?"),
    ("pools/strain/colour", 1, r"pools\.strain\.colour: unknown key; the keys here are max\."),
    ("designs/OPT1/method", "maxmim", r"designs\.OPT1\.method: .*'maxmim'; did you mean 'maxmin'\?.*'random'"),
    (
        "designs/OPT1/method",
        "best",
        r"designs\.OPT1\.method: there is no 'best'; choose from 'bayesian', 'cur', 'cur_environments'",
    ),
    ("descriptor/backend", "quipy", r"descriptor\.backend: .*'quipy'; did you mean 'quippy'\?"),
    ("labels/engine", "vaps", r"labels\.engine: there is no 'vaps'; did you mean 'vasp'\?"),
    ("budget", 5001, r"budget: 5001 structures .* pools of 5000; lower it or raise pools\.size"),
    ("designs/OPT1/budget", 5001, r"designs\.OPT1\.budget: 5001 structures .* pools of 5000; lower it or raise"),
    ("designs/OPT1/budget", 0, r"designs\.OPT1\.budget: 0 is not valid; .*greater than or equal to 1"),
    ("budget", 0, r"budget: 0 is not valid; .*greater than or equal to 1"),
    ("budget", "many", r"budget: 'many' is not valid; give a whole number"),
    ("budget", 3.5, r"budget: 3\.5 is not valid; give a whole number"),
    ("kernel/soap/scale", "big", r"kernel\.soap\.scale: 'big' is not valid; give a number"),
    ("seed", -1, r"seed: -1 is not valid; .*greater than or equal to 0"),
    ("comparison/unions", {"BOTH": ["OPT1", "OPT9"]}, r"comparison\.unions\.BOTH: .* the designs are OPT1, OPT2"),
    (
        "comparison/unions",
        {"OPT1": ["OPT1", "OPT2"]},
        r"comparison\.unions\.OPT1: a union needs a name that no design has",
    ),
    ("comparison/scaled_by", "C", r"comparison\.scaled_by: there is no pool 'C'; choose from A, B"),
    ("designs/OPT1/pool", "C", r"designs\.OPT1\.pool: there is no pool 'C'; choose from A, B"),
    ("designs/OPT1/pool", ..., r"designs\.OPT1: give `pool`, .* or `pools`, for a design from each"),
    ("designs/OPT1/pools", ["A", "B"], r"designs\.OPT1: give `pool`, .* or `pools`, for a design from each"),
    ("designs/MORE", {"pools": ["A", "A"], "method": "random"}, r"designs\.MORE: `pools` names a pool twice: A, A"),
    (
        "designs/MORE",
        {"pools": ["A", "C"], "method": "random"},
        r"designs\.MORE\.pools: there is no pool 'C'; choose from A, B",
    ),
    ("designs/OPT1", "maxmin", r"designs\.OPT1: 'maxmin' is not valid; give a block of keys"),
    ("designs", {}, r"designs: it is empty; give at least one"),
    ("designs", ..., r"designs: this key is missing; for example `designs: \{OPT1"),
    ("designs/OPT1/start", 5000, r"designs\.OPT1\.start: 5000 is not in a pool of 5000; choose a smaller one"),
    ("designs/OPT1/start", -1, r"designs\.OPT1\.start: -1 is not valid; .*greater than or equal to 0"),
    ("designs/OPT1/existing", "no.xyz", r"designs\.OPT1\.existing: no file 'no\.xyz'; paths start where"),
    ("designs/OPT1/existing", "{x}.xyz", r"designs\.OPT1\.existing: Snakemake takes the braces in '\{x\}\.xyz'"),
    ("labels/file", {"paths": ["a{b}"]}, r"labels\.file\.paths: Snakemake takes the braces in 'a\{b\}'"),
    ("designs/isolated", {"pool": "A", "method": "random"}, r"designs\.isolated: this name is taken .*another"),
    ("designs/isolated_atom", {"pool": "A", "method": "random"}, r"designs\.isolated_atom: this name is taken"),
    ("designs/failed", {"pool": "A", "method": "random"}, r"designs\.failed: this name is taken .*another"),
    ("labels/max_failed", 1.5, r"labels\.max_failed: 1\.5 is not valid; .*less than or equal to 1"),
    ("labels/keep", "some", r"labels\.keep: there is no 'some'; choose from 'failed', 'all' or 'nothing'"),
    (
        "designs/a b",
        {"pool": "A", "method": "random"},
        r"designs\.a b: the name 'a b' must begin .* but no slash or blank",
    ),
    ("prototypes", ..., r"prototypes: this key is missing; for example `prototypes: \{hcp"),
    ("prototypes", {}, r"prototypes: it is empty; give at least one"),
    ("prototypes/hcp/element", "Zq", r"prototypes\.hcp\.element: 'Zq' is not a chemical element; write a symbol"),
    ("prototypes/hcp/lattice", "hpc", r"prototypes\.hcp\.lattice: ASE cannot build 'Zr' on the lattice 'hpc'.*use"),
    ("prototypes/hcp/lattice", ..., r"prototypes\.hcp: give `element`, `lattice` and `a`, or else `file`"),
    ("prototypes/hcp/file", "hcp.cif", r"prototypes\.hcp: `file` stands alone, without `element`, `lattice`"),
    ("prototypes/hcp", {"file": "no.cif"}, r"prototypes\.hcp\.file: no file 'no\.cif'; paths are relative to"),
    ("prototypes/hcp/a", -3.2, r"prototypes\.hcp\.a: -3\.2 is not valid; .*greater than 0"),
    ("kernel/soap/scale", -0.3, r"kernel\.soap\.scale: -0\.3 is not valid; .*greater than or equal to 0"),
    ("kernel", {"soap": {"scale": 0}, "pair": {"scale": 0}}, r"kernel: soap\.scale and pair\.scale are both 0.*one"),
    ("kernel/pair/length", float("nan"), r"kernel\.pair\.length: nan is not valid; .*finite"),
    ("descriptor/soap/sigma", float("inf"), r"descriptor\.soap\.sigma: inf is not valid; .*finite"),
    ("descriptor/soap/r_cut", 3.0, r"descriptor\.soap\.r_cut: 3\.0 does not reach .* 'hcp' at 3\.\d+ angstrom; make"),
    ("kernel/pair/r_cut", 3.2, r"kernel\.pair\.r_cut: 3\.2 does not reach .*'fcc' at 3\.205 angstrom; make it larger"),
    ("pools/shard_size", 0, r"pools\.shard_size: 0 is not valid; .*greater than or equal to 1"),
    ("pools/names", [], r"pools\.names: it is empty; give at least one"),
    ("pools/names", ["A", "A"], r"pools\.names: \['A', 'A'\] has a name twice; give each"),
    ("pools/names", ["A", "B/C"], r"pools\.names\.1: the name 'B/C' must begin .* but no slash or blank"),
    ("pools/names", "A", r"pools\.names: 'A' is not valid; give a list, such as \[A, B\]"),
    ("pools/sampler", "strian", r"pools\.sampler: .*'strian'; did you mean 'strain'\?"),
    ("pools/strain/max", 1.2, r"pools\.strain\.max: 1\.2 is not valid; .*less than 1"),
    ("pools/sampler", "mixture", r"pools: .*`mixture` needs shares; give `mixture`, such as"),
    ("pools/mixture", {"strain": -1}, r"pools: the share -1\.0 of `strain` in `mixture` is not above 0"),
    ("pools/mixture", {"strian": 1}, r"pools\.mixture\.strian: there is no 'strian'; did you mean 'strain'"),
    ("pools/overrides", {"C": {"size": 3}}, r"pools\.overrides\.C: there is no pool 'C'; choose from A, B"),
    ("pools/overrides", {"B": {"size": 3}}, r"budget: 100 structures cannot .* pools of 3; lower"),
    ("pools/overrides", {"B": {"sampler": "mixture"}}, r"pools\.overrides\.B: .*`mixture` needs shares"),
    ("pools/overrides", {"B": {"constraints": {}}}, r"pools\.overrides\.B\.constraints: unknown key; "),
    ("pools/overrides", {"B": {"sampler": "file"}}, r"pools\.file\.path: no file 'candidates\.extxyz' for pool B"),
    ("pools/constraints/density", [3, 2], r"pools\.constraints: `density` must be \[lowest, highest\]"),
    ("pools/random", {"atoms": [0, 2]}, r"pools\.random: `atoms` must be \[fewest, most\]"),
    ("pools/surface", {"vacuum": [9, 2]}, r"pools\.surface: `vacuum` must be \[smallest, largest\]"),
    (
        "pools",
        {"sampler": "occupation", "occupation": {"composition": {"Cu": 1}}},
        r"pools\.occupation\.composition: no prototype has the element 'Cu', only Zr; add",
    ),
    (
        "pools",
        {"sampler": "supercell", "supercell": {"kinds": {"vacancy": 0, "interstitial": 0}}},
        r"pools\.supercell\.kinds: no kind of defect is left",
    ),
    ("study", "zr/demo", r"study: the name 'zr/demo' must begin .* but no slash or blank"),
    ("study", "../zr", r"study: the name '\.\./zr' must begin"),
    ("study", "", r"study: the name '' must begin"),
    ("study", 7, r"study: 7 is not valid; give text, in quotes if"),
    ("pools/names", ["A", 1], r"pools\.names\.1: 1 is not valid; give text, in quotes if it looks like a number"),
    ("pools/names", ["A", True], r"pools\.names\.1: True is not valid; give text, .* or like yes or no"),
    ("designs", {1: {"pool": "A", "method": "random"}}, r"designs\.1: 1 is not valid; give text, in quotes if"),
    ("designs", {"X": {"pool": 1, "method": "random"}}, r"designs\.X\.pool: 1 is not valid; give text, in quotes if"),
    ("pools", None, r"pools: None is not valid; give a block of keys"),
    ("budget", True, r"budget: True is not valid; give a number; YAML reads yes, no, on and off as true and false"),
    ("budget", "010", r"budget: '010' is not valid; give a whole number"),
    ("budget", "0x10", r"budget: '0x10' is not valid; give a whole number"),
    ("kernel/soap/scale", False, r"kernel\.soap\.scale: False is not valid; give a number; YAML reads"),
    ("prototypes/hcp/a", True, r"prototypes\.hcp\.a: True is not valid; give a number; YAML reads"),
    ("pools/random", {"atoms": [True, 4]}, r"pools\.random\.atoms\.0: True is not valid; give a number"),
    ("pools/mixture", {"strain": True}, r"pools\.mixture\.strain: True is not valid; give a number"),
    ("pools/overrides", {"B": {"size": True}}, r"pools\.overrides\.B\.size: True is not valid; give a number"),
    ("designs/OPT1/start", False, r"designs\.OPT1\.start: False is not valid; give a number"),
    ("pools/file", {"shuffle": 1}, r"pools\.file\.shuffle: 1 is not valid; give true or false"),
    ("pools/file", {"shuffle": "never"}, r"pools\.file\.shuffle: 'never' is not valid; give true or false"),
    (
        "prototypes/hcp/a",
        1e300,
        r"prototypes\.hcp\.a: 1e\+300 is not valid; give 0 or a number of a size between 1e-20",
    ),
    ("prototypes/hcp/a", 1e4, r"prototypes\.hcp\.a: 10000\.0 is not valid; .*less than or equal to 1000"),
    ("descriptor/soap/sigma", 1e-300, r"descriptor\.soap\.sigma: 1e-300 is not valid; give 0 or a number of a size"),
    ("descriptor/soap/sigma", 1e-5, r"descriptor\.soap\.sigma: 1e-05 is not valid; .*greater than or equal to 0\.01"),
    ("seed", 2**63, r"seed: 9223372036854775808 is not valid; .*less than 9223372036854775808"),
    ("seed", 10**290, r"seed: 1000+ \.\.\. 0+ is not valid; give 0 or a number of a size"),
    ("pools/size", 10**12, r"pools\.size: 1000000000000 is not valid; .*less than or equal to 1000000000"),
    (
        "pools/size",
        10**9,
        r"pools\.shard_size: pool A is cut into 800000 shards, and Snakemake .* raise it to 10000 or",
    ),
    ("pools/names", ["A", "a"], r"pools\.names: 'a': it differs from 'A' by the case of letters only"),
    (
        "pools/names",
        ["A", "Frames"],
        r"pools\.names: 'Frames': this name is taken by a folder of frames; choose another",
    ),
    ("designs/opt1", {"pool": "A", "method": "random"}, r"designs\.opt1: it differs from 'OPT1' by the case"),
    (
        "designs/" + "x" * 200,
        {"pool": "A", "method": "random"},
        r"designs\.x+ \.\.\. x+: the name is 200 characters long; ",
    ),
    ("study", "x" * 200, r"study: the name is 200 characters long; shorten it to 100 or fewer"),
    ("labels/engine", "x\x1b[31m", r"labels\.engine: there is no 'x\\x1b\[31m'; choose from"),
    *(
        (
            f"designs/{name}",
            {"pool": "A", "method": "random"},
            rf"designs\.{name}: this name is taken by .*; choose another",
        )
        for name in ("state", "Reserve", "bounds", "fits", "crossval", "quality", "table", "figures", "engine")
    ),
]


@pytest.mark.parametrize(("path", "value", "sentence"), MISTAKES, ids=lambda item: str(item)[:40])
def test_a_mistake_is_answered_by_key_value_and_remedy(path, value, sentence):
    import re

    assert re.match(sentence, refusal(changed(path, value)))


@pytest.mark.parametrize(
    ("path", "given", "value"),
    [
        ("budget", "50", 50),
        ("budget", 50.0, 50),
        ("kernel/soap/scale", "1e-3", 0.001),
        ("kernel/soap/scale", 1, 1.0),
        ("pools/file/shuffle", "no", False),
        ("pools/file/shuffle", "True", True),
    ],
)
def test_numbers_and_truth_values_that_others_give_as_text_are_read(path, given, value):
    """YAML 1.1 takes 1e-3 for text, and Snakemake all that stands within a block after `--config`."""
    study = config.parse(changed(path, given))
    for step in path.split("/"):
        study = getattr(study, step)
    assert (study, type(study)) == (value, type(value))


def test_tags_of_programs_keep_their_types():
    tags = {"LREAL": False, "NELM": 60, "SIGMA": 0.2, "ALGO": "Fast", "MAGMOM": [1, 0.5]}
    given = changed("labels", {"engine": "vasp", "vasp": {"incar": tags}})
    read = config.parse(given).labels.vasp.incar
    assert {name: (value, type(value)) for name, value in read.items()} == {
        name: (value, type(value)) for name, value in tags.items()
    }


def numbers(block, path=""):
    """Every number of a configuration by its path."""
    for name, value in block.items():
        if isinstance(value, dict):
            yield from numbers(value, f"{path}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{path}{name}"


@pytest.mark.parametrize("value", [1e300, 1e-300, 10**200, 1e19, 1e-19], ids=lambda value: f"{value:.0e}")
def test_no_number_is_too_much_for_a_check(value):
    """It passes or is refused in a sentence; it neither hangs nor ends in a traceback."""
    base = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    paths = list(numbers(base | config.Study(**base).model_dump(mode="json")))
    assert len(paths) > 100
    for path in paths:
        try:
            config.check(config.parse(changed(path, value, base)))
        except InputError as error:
            assert path.split("/")[0] in str(error)


@pytest.mark.parametrize("given", [None, [], "text", 3])
def test_what_is_no_mapping_is_no_configuration(given):
    assert refusal(given) == "The configuration is empty or not a mapping of keys to values; see config/README.md."


def test_a_prototype_file_is_read_and_one_without_a_cell_refused(tmp_path):
    write(tmp_path / "b2.cif", bulk("CuZr", "cesiumchloride", a=3.26))
    study = config.parse(changed("prototypes", {"b2": {"file": str(tmp_path / "b2.cif")}}))
    config.check(study)
    assert study.symbols() == ["Cu", "Zr"]
    write(tmp_path / "h2.xyz", Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]]))
    sentence = refusal(changed("prototypes", {"h2": {"file": str(tmp_path / "h2.xyz")}}))
    assert sentence.startswith("prototypes.h2: the structure has no cell")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"budget: [1, 2", r"not valid YAML"),
        (b"a: b: c", r"not valid YAML"),
        (b"\xff\xfe\x81", r"not valid YAML"),
        (b"\tbudget: 3", r"not valid YAML"),
        (b"", r"configuration is empty"),
        (b"just a text", r"configuration is empty"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, sentence):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        config.load(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_configuration_is_named():
    with pytest.raises(InputError, match=r"^no/such\.yaml: no such file; name a configuration with --config\.$"):
        config.load("no/such.yaml")


def test_both_generated_documents_are_those_in_the_repository():
    for path, content in (
        ("workflow/schemas/config.schema.json", configdoc.schema()),
        ("config/README.md", configdoc.page()),
    ):
        assert (ROOT / path).read_text(encoding="utf-8") == content, f"{path}: run `gapdesign document`"


def blocks(model: type[Options]) -> list[type[Options]]:
    """All classes of options that a class refers to, and itself."""
    found = [model]
    for field in model.model_fields.values():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, Options) and kind not in found:
                found += blocks(kind)
    return found


@pytest.mark.parametrize("model", blocks(config.Study), ids=lambda model: model.__name__)
def test_every_key_is_described_and_unknown_ones_refused(model):
    assert len(blocks(config.Study)) > 10
    assert model.model_config["extra"] == "forbid"
    assert model.model_config["frozen"]
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name}"
        assert field.description.endswith("."), f"{model.__name__}.{name}"


def test_the_schema_refuses_what_the_library_refuses():
    import jsonschema

    validator = jsonschema.Draft202012Validator(json.loads(configdoc.schema()))
    validator.check_schema(validator.schema)
    for path, value in (
        ("buget", 50),
        ("budget", "many"),
        ("designs/OPT1/method", "maxmim"),
        ("study", "a/b"),
        ("pools/names", ["A/B"]),
        ("pools/shard_size", 0),
        ("kernel/soap/scale", -1),
    ):
        assert list(validator.iter_errors(changed(path, value))), path


def test_the_page_has_every_key_with_its_default():
    page = configdoc.page()
    for line in (
        "| `descriptor.soap.r_cut` | Radius of an environment, in angstrom. | number > 0 and <= 30 | `6.8` |",
        '| `designs.<name>.pool` | Pool that it is chosen from; required, or else `pools`. | text | `""` |',
        "| `pools.shard_size` | Candidates per job. It changes the number of jobs, but no result."
        " | whole number >= 1 | `5000` |",
        "| `pools.overrides.<name>.strain` | Replaces `pools.strain`. | see `pools.strain` above | none |",
    ):
        assert line in page


def test_a_design_from_each_of_several_pools_is_written_out_once():
    random = {"pool": "A", "method": "random"}
    given = changed("designs", {"OPT": {"pools": ["B", "A"], "method": "maxmin"}, "RND": random})
    study = config.parse(given)
    assert {name: design.pool for name, design in study.designs.items()} == {"OPT_B": "B", "OPT_A": "A", "RND": "A"}
    config.check(study)
    by_hand = {f"OPT_{pool}": {"pool": pool, "method": "maxmin"} for pool in ("B", "A")} | {"RND": random}
    assert config.checksum(study) == config.checksum(config.parse(changed("designs", by_hand)))
    given["designs"]["OPT_A"] = random
    with pytest.raises(InputError, match=r"designs\.OPT\.pools: a design 'OPT_A' is there already"):
        config.parse(given)
