"""Families: a member is one module, of ours or of another package's, and what cannot be one is refused."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from gapdesign import families
from gapdesign.config.options import Options
from gapdesign.descriptors import DESCRIPTORS, EnvironmentDescriptor
from gapdesign.errors import InputError
from gapdesign.families import Family, Member
from gapdesign.samplers import SAMPLERS, Sampler
from gapdesign.samplers.shared.deform import DeformingSampler

FAMILIES = {"samplers": SAMPLERS, "descriptors": DESCRIPTORS}
MEMBERS = [(family, name) for family, members in FAMILIES.items() for name in members]


class ShearOptions(Options):
    """Options of the sampler `shear`."""

    max: float = Field(0.1, gt=0, lt=1, description="Largest shear.")


class Shear(DeformingSampler):
    """A sampler of another package's."""

    name = "shear"
    summary = "a prototype sheared"
    Options = ShearOptions
    draws = 1

    def deformations(self, uniforms: np.ndarray) -> np.ndarray:
        return np.eye(3) + self.options.max * uniforms[:, :, None] * np.eye(3, k=1)


class Unfinished(Sampler):
    """A sampler that makes nothing."""

    name = "unfinished"
    summary = "nothing"


@dataclass
class Entry:
    """An entry point, as another package declares it."""

    name: str
    what: Any
    value: str = "their.module:Thing"

    @property
    def dist(self) -> SimpleNamespace:
        return SimpleNamespace(name="their-package")

    def load(self) -> Any:
        if isinstance(self.what, Exception):
            raise self.what
        return self.what


@pytest.fixture
def offered(monkeypatch) -> Callable[..., Family[Sampler]]:
    """The family of samplers, beside what other packages offer."""

    def family(*entries: Entry) -> Family[Sampler]:
        monkeypatch.setattr(families, "entry_points", lambda *, group: entries if group == "gapdesign.samplers" else ())
        return Family("gapdesign.samplers", Sampler)

    return family


@pytest.mark.parametrize("family", FAMILIES)
def test_members_are_in_alphabetical_order_and_named_after_their_modules(family):
    assert list(FAMILIES[family]) == sorted(FAMILIES[family])
    for name, member in FAMILIES[family].items():
        assert member.name == name
        assert member.__module__ == f"gapdesign.{family}.{name}"


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_a_member_says_what_it_is_and_has_options_with_defaults(family, name):
    member = FAMILIES[family][name]
    assert member.summary
    assert not member.summary.endswith(".")
    assert f"`{name}`: {member.summary}." in FAMILIES[family].choices
    assert member.Options() == member.Options.model_validate({})


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_no_member_imports_another_or_what_is_made_from_the_family(family, name):
    source = Path(sys.modules[FAMILIES[family][name].__module__].__file__).read_text(encoding="utf-8")
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    others = {f"gapdesign.{family}.{other}" for other in {*FAMILIES[family], "options"} - {name}}
    assert not imported & others


def test_classes_have_names_of_their_own_across_families():
    names = [member.__name__ for members in FAMILIES.values() for member in members.values()]
    assert len(names) == len(set(names))


def test_a_member_of_another_package_is_one_like_ours(offered):
    family = offered(Entry("shear", Shear))
    assert list(family) == sorted([*SAMPLERS, "shear"])
    assert family["shear"] is Shear
    assert "shear" in family.names.__args__
    assert "`shear`: a prototype sheared." in family.choices
    assert Shear.minutes == 30
    assert Shear.keeps_cells


def sentence(family: Family, key: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        list(family) if key is None else family.keep_off("pools", {key})
    text = str(caught.value)
    assert text.startswith("the package their-package offers ")
    assert text.endswith(".")
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Entry("shear", ImportError("No module named 'torch'")), "cannot be imported (ImportError: No module named"),
        (Entry("shear", AttributeError("Thing")), "cannot be imported (AttributeError: Thing)"),
        (Entry("shear", object), "their.module:Thing is not a class derived from Sampler"),
        (Entry("shear", Shear(ShearOptions(), [])), "their.module:Thing is not a class derived from Sampler"),
        (Entry("shear", EnvironmentDescriptor), "their.module:Thing is not a class derived from Sampler"),
        (Entry("unfinished", Unfinished), "their.module:Thing does not define __call__; define it"),
        (Entry("sheer", Shear), "the class calls itself 'shear'; use one name"),
        (Entry("strain", type("Strain", (Shear,), {"name": "strain"})), "that name is taken"),
        (Entry("my-shear", type("Mine", (Shear,), {"name": "my-shear"})), "cannot be a key of the configuration"),
        (Entry("model_dump", type("Mine", (Shear,), {"name": "model_dump"})), "cannot be a key of the configuration"),
    ],
    ids=lambda item: item if isinstance(item, str) else item.name,
)
def test_what_cannot_be_a_member_is_refused_in_one_sentence(offered, entry, words):
    assert words in sentence(offered(entry))


def test_a_name_that_is_a_key_of_the_block_is_refused(offered):
    family = offered(Entry("size", type("Size", (Shear,), {"name": "size"})))
    assert "size" in family
    assert "`pools.size` has another meaning; rename it" in sentence(family, "size")
    family.keep_off("pools", {"strain", "names"})  # ours may be keys, and are


def test_a_member_that_imports_what_is_made_from_its_family_is_told_so(tmp_path, monkeypatch):
    package = tmp_path / "circle"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from gapdesign.families import Family, Member\nFAMILY = Family('circle', Member)"
    )
    (package / "options.py").write_text("from circle import FAMILY\nNAMES = list(FAMILY)")
    (package / "one.py").write_text(
        "from gapdesign.families import Member\nclass One(Member):\n    name = 'one'\n    summary = 'one'"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert import_module("circle.options").NAMES == ["one"]
    (package / "two.py").write_text("from circle.options import NAMES")
    for name in [name for name in sys.modules if name.startswith("circle")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(RuntimeError, match=r"no member may import .* circle\.options"):
        list(import_module("circle").FAMILY)


def test_a_member_without_options_has_the_empty_block():
    assert Member.Options is Options
    assert not Member.Options.model_fields
