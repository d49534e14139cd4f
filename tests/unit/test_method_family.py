"""The family of methods: traits that hold on a pool, a method that another package brings, no name elsewhere."""

import ast
import copy
import inspect
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from conftest import ROOT, SMALL
from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.engines import ENGINES
from gapdesign.methods import METHODS, is_baseline, is_by_chance
from gapdesign.methods.designs import select
from gapdesign.methods.maxmin.compression import Directions
from gapdesign.methods.options import DesignOptions
from gapdesign.report.headline import headline
from gapdesign.report.texts import references
from gapdesign.report.words import method_name
from gapdesign.shards import HeldPool
from installed import gapdesign, install
from toy_pools import COVARIANCE, environments, features, task

SIZE = 60
ROWS = features(SIZE, seed=4)


def whole(budget: int, **given):
    """A task that has all that any method asks for."""
    basis = Directions.of(ROWS, COVARIANCE.layout)
    compressed = HeldPool(basis.compress(ROWS))
    return task(ROWS, budget, basis=basis, compressed=compressed, environments=environments(SIZE), **given)


def test_every_member_is_complete():
    for name, method in METHODS.items():
        assert method.name == name and method.summary and not inspect.isabstract(method)
        assert method.__name__ == "".join(part.capitalize() for part in name.split("_")) + "Method"
        assert not (method.is_certified and not method.is_prefix)
    assert [name for name in METHODS if is_baseline(name)] == ["random"]


REPLAYED = {
    "averages": KernelOptions(pair={"scale": 0}),
    "pairs": KernelOptions(),
    "environments": KernelOptions(pair={"scale": 0}, structure="environment"),
}
"""Kernels of the replay of docs/which-method.md, by what they compare."""


def test_methods_that_were_worse_than_random_draws_say_so_where_frames_are_chosen():
    """As often as the tables of the page have it, over eight sets and two more, for what was compared."""
    page = (ROOT / "docs" / "which-method.md").read_text(encoding="utf-8")
    table = Counter()
    for cases in ("80", "18"):
        for name, count in re.findall(rf"^\| `(\w+)` \|.* \| (\d+) of {cases} \|", page, flags=re.MULTILINE):
            table[name] += int(count)
    assert len(set(METHODS) & set(table)) >= 10
    for name, method in METHODS.items():
        rows = {"averages": name, "pairs": f"{name}_pairs", "environments": f"{name}_environment"}
        if method.reads_environments(method.Options()):
            rows = {"environments": name}
        elif name == "bayesian":  # by an option of its own
            rows["environments"] = "bayesian_environments"
        counted = {by: table[row] for by, row in rows.items() if row in table}
        known = method.harmed._replace(core_hours=None)._asdict()
        assert {by: count for by, count in known.items() if count is not None} == counted, name
        if name == "information":  # which says what it is everywhere
            continue
        for by, count in counted.items():
            told = {"options": method.Options(), "kernel": REPLAYED[by], "is_priced": False}
            assert method.caution(**told, of_frames=False) is None
            said = method.caution(**told, of_frames=True)
            assert (said is not None) == (count > 5)
            assert said is None or f"in {count} of 98 cases" in said


def test_methods_that_were_worse_within_core_hours_say_so_where_costs_count():
    """As often as the table of the page has it, unless something is compared that only the other page has."""
    page = (ROOT / "docs" / "information.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(\w+)`(?: per hour)? \|.* \| (\d+) of 48 \|$", page, flags=re.MULTILINE))
    counted = {
        name: method.harmed.core_hours for name, method in METHODS.items() if method.harmed.core_hours is not None
    }
    assert counted == {name: int(count) for name, count in table.items()} and len(counted) == 3
    for name, count in counted.items():
        options = METHODS[name].Options()
        said = METHODS[name].caution(options, REPLAYED["averages"], is_priced=True, of_frames=True)
        assert f"larger errors than random ones of the same cost in {count} of 48 cases" in said
        assert METHODS[name].caution(options, REPLAYED["averages"], is_priced=False, of_frames=True) != said
    compared = {"options": METHODS["maxmin"].Options(), "kernel": REPLAYED["environments"]}
    assert "in 27 of 98" in METHODS["maxmin"].caution(**compared, is_priced=True, of_frames=True)


@pytest.mark.parametrize("name", METHODS)
def test_traits_hold(name):
    """Prefixes, chance, start and what is read, each seen from outside."""
    method = METHODS[name]
    long = method.select(whole(12)).candidates.tolist()
    assert len(set(long)) == 12
    if method.is_prefix:
        assert method.select(whole(5)).candidates.tolist() == long[:5]
    if method.by_chance:
        assert method.select(whole(12, seed="another")).candidates.tolist() != long
    if method.takes_start:
        started = method.select(whole(12, start=(long[0] + 1) % SIZE)).candidates.tolist()
        assert started[0] == (long[0] + 1) % SIZE or started != long
    if not method.reads_environments(method.Options()):
        assert method.select(replace(whole(12), environments=None)).candidates.tolist() == long
    if not method.reads_rows(method.Options()):
        assert method.select(replace(whole(12), rows=None)).candidates.tolist() == long
    if not method.is_compressed:
        assert method.select(replace(whole(12), compressed=None, basis=None)).candidates.tolist() == long


@pytest.mark.parametrize("name", METHODS)
def test_a_reserve_follows_the_design_and_changes_nothing_of_it(name):
    alone, more = METHODS[name].select(whole(6)), select(METHODS[name], whole(6), reserve=4)
    assert more.candidates[:6].tolist() == alone.candidates.tolist()
    assert len(set(more.candidates.tolist())) == len(more.distances) == 10
    assert np.array_equal(more.distances[:6], alone.distances)


def test_no_method_is_named_anywhere_but_in_its_own_module():
    """The sampler `random`, too, is called so; and who calls `gapdesign.select` by hand need not name a method."""
    library, found = ROOT / "workflow/src/gapdesign", []
    for path in library.rglob("*.py"):
        if path.relative_to(library).parts[0] in ("methods", "samplers", "notebook"):
            continue
        constants = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        found += [f"{path}:{node.lineno} {node.value}" for node in constants if node.value in METHODS]
    for path in [*(ROOT / "workflow/rules").rglob("*.smk"), *library.rglob("*.j2")]:
        words = re.findall(r"[\"']([a-z_]+)[\"']", path.read_text())
        found += [f"{path} {word}" for word in words if word in METHODS]
    for path in (library / "methods").rglob("*.py"):
        own = path.relative_to(library / "methods").parts[0].removesuffix(".py")
        constants = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        found += [f"{path} {node.value}" for node in constants if node.value in set(METHODS) - {own, "random"}]
    assert found == []


@pytest.mark.parametrize(("family", "members"), [("methods", METHODS), ("engines", ENGINES)])
def test_no_member_imports_another(family, members):
    """Nor does what members share."""
    package, found = ROOT / "workflow/src/gapdesign" / family, []
    for path in package.rglob("*.py"):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        text = re.sub(r"^if TYPE_CHECKING:\n(    .*\n|\n)*", "", path.read_text(), flags=re.MULTILINE)
        imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
        if own in (*members, "shared", "base"):
            named = {name for node in imports for name in _modules(node, family)}
            found += [f"{path}: {name}" for name in named & set(members) - {own}]
    assert found == []


def _modules(node: ast.ImportFrom, family: str) -> list[str]:
    """Modules of a family that an import names."""
    parts = (node.module or "").split(".")
    return (parts[2:3] or [alias.name for alias in node.names]) if parts[:2] == ["gapdesign", family] else []


def test_options_of_a_design_are_those_of_its_method():
    design = DesignOptions(pool="A", method="bayesian", bayesian={"rows": "environments"})
    assert design.options.rows == "environments" and design.reads_environments and not design.reads_derivatives
    assert DesignOptions(pool="A", method="bayesian").options == METHODS["bayesian"].Options()
    assert not DesignOptions(pool="A", method="bayesian").reads_environments
    maxmin = DesignOptions(pool="A", method="maxmin")
    assert maxmin.is_compressed("average") and not maxmin.is_compressed("rematch")


def test_names_in_tables_that_are_none_of_methods_are_known_to_be_none():
    for name in ("", "none", "all", "other"):
        assert not is_baseline(name) and not is_by_chance(name)
    assert (method_name("k_medoids"), method_name("of_theirs")) == ("k-medoids", "of theirs")


EVENLY = '''
from gapdesign.config.options import Options
from pydantic import Field
import numpy as np
from gapdesign.methods import Method, Selection, Task
from gapdesign.methods.shared.distance import selection


class EvenlyOptions(Options):
    """Options of the method `evenly`."""

    offset: int = Field(0, ge=0, description="The first candidate.")


class EvenlyMethod(Method):
    """Candidates at even distances of their indices."""

    name = "evenly"
    summary = "evenly spaced by index"
    title = "evenly spaced"
    reference = ("Nobody, Nowhere (2000)", "10.0/0", "even spacing")
    Options = EvenlyOptions
    is_baseline = True

    @classmethod
    def mismatch(cls, options, *, budget, existing):
        return "evenly.offset: 7 is unlucky; take 8." if options.offset == 7 else None

    @classmethod
    def select(cls, task: Task) -> Selection:
        options = task.options or cls.Options()
        step = (task.pool.size - options.offset) // task.budget
        chosen = options.offset + step * np.arange(task.budget)
        return selection(task, chosen.tolist(), chosen.tolist())
'''


@pytest.fixture
def evenly(tmp_path):
    """A folder with a package that brings a method."""
    install(tmp_path, "even", EVENLY, methods="evenly = even:EvenlyMethod")
    return tmp_path


def test_a_method_of_another_package_chooses_designs(evenly):
    study = copy.deepcopy(SMALL) | {"designs": {"EVEN": {"pool": "A", "method": "evenly", "evenly": {"offset": 3}}}}
    assert "EVEN: 10 structures of pool A by evenly" in gapdesign(evenly, study, "check")
    assert "1 design of 10 structures" in gapdesign(evenly, study, "plan")
    shard = ["--candidates", "c/0-60.npz"]
    gapdesign(evenly, study, "candidates", "--pool", "A", "--start", "0", "--stop", "60", "--output", "c/0-60.npz")
    gapdesign(evenly, study, "descriptors", *shard, "--output", "f/0-60.npy", "--output-sum", "s/0-60.npy")
    given = [*shard, "--features", "f/0-60.npy", "--sums", "s/0-60.npy"]
    outputs = ["--output", "EVEN.extxyz", "--output-features", "EVEN.npy", "--output-reserve", "more.extxyz"]
    assert "10 of 60 candidates chosen by evenly and 6 in reserve" in gapdesign(
        evenly, study, "select", "--design", "EVEN", *given, *outputs
    )
    chosen = re.findall(r" candidate=(\d+) ", (evenly / "EVEN.extxyz").read_text())
    assert [*map(int, chosen)] == list(range(3, 53, 5))
    assert len(re.findall(r" candidate=\d+ ", (evenly / "more.extxyz").read_text())) == 6


def test_messages_know_a_method_of_another_package(evenly):
    wrong = copy.deepcopy(SMALL) | {"designs": {"EVEN": {"pool": "A", "method": "evenly", "evenly": {"offset": 7}}}}
    assert "designs.EVEN.evenly.offset: 7 is unlucky; take 8." in gapdesign(evenly, wrong, "check", status=2)
    wrong["designs"] = {"EVEN": {"pool": "A", "method": "evenli"}}
    assert "did you mean 'evenly'?" in gapdesign(evenly, wrong, "check", status=2)
    wrong["designs"] = {"EVEN": {"pool": "A", "method": "maxmin", "evenly": {}}}
    assert "evenly: these are options of another method than 'maxmin'" in gapdesign(evenly, wrong, "check", status=2)


def test_the_report_goes_by_traits(monkeypatch):
    """A method that draws blindly under another name is what others are compared with, and cited, by that name."""
    import pandas as pd

    namespace = {"__name__": "even"}
    exec(compile(EVENLY, "even.py", "exec"), namespace)
    known = dict(METHODS) | {"evenly": namespace["EvenlyMethod"]}
    monkeypatch.setitem(METHODS.__dict__, "_members", known)
    errors = pd.DataFrame([("OPT", "EVEN", 10.0), ("EVEN", "OPT", 40.0)], columns=["model", "test_set", "q99_mev"])
    errors = errors.assign(n=100, q99_force_mev_a=np.nan, n_forces=0, n_forces_zero=0)
    text = headline(errors, {"OPT": "maxmin", "EVEN": "evenly"})
    assert "40 for the evenly spaced design: 4.0 times smaller" in text
    cited = references({"designs": {"EVEN": {"method": "evenly"}, "OPT": {"method": "maxmin"}}})
    assert [what for _, _, what in cited][-2:] == ["even spacing", "the max-min algorithm"]
