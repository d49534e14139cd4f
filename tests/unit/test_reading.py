"""Texts of configurations: what lies, or is larger than it looks, is refused with its line."""

import json

import pytest

from gapdesign.cli.parts.study import StudyPart
from gapdesign.config import reading
from gapdesign.config import study as config
from gapdesign.config.job import Job
from gapdesign.errors import InputError


def read(tmp_path, content, name="study.yaml"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return reading.read(path)


def refusal(tmp_path, content, name="study.yaml"):
    with pytest.raises(InputError) as caught:
        read(tmp_path, content, name)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence.removeprefix(f"{tmp_path}/")


def bomb(start, more):
    lines = [f"a0: &a0 {start}", *(f"a{n}: &a{n} {more(n - 1)}" for n in range(1, 12))]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "budget: 5\nseed: 1\nbudget: 6\n",
            "study.yaml, line 3: budget: this key is given twice, first in line 1; keep",
        ),
        ("pools:\n  A: {x: 1,\n    x: 2}\n", "study.yaml, line 3: pools.A.x: this key is given twice, first in line 2"),
        ("a: [{b: 1, 'b': 2}]\n", "study.yaml, line 1: a.0.b: this key is given twice, first in line 1"),
        ("budget: 010\n", "study.yaml, line 1: budget: YAML reads 010 as an octal number, 8; write 10 or that."),
        ("a:\n- 1\n- -0_17\n", "study.yaml, line 3: a.1: YAML reads -0_17 as an octal number, -15; write 17 or that."),
        ("a: 3:14\n", "study.yaml, line 1: a: YAML reads 3:14 as a number to the base 60; write it as a decimal"),
        ("a: 3:14.5\n", "study.yaml, line 1: a: YAML reads 3:14.5 as a number to the base 60"),
        (f"seed: {'7' * 5000}\n", "study.yaml, line 1: seed: a number of 5000 digits; shorten it."),
        (f"x: {'[' * 900}{']' * 900}\n", "study.yaml, line 1: blocks stand in one another more than 50 levels deep"),
        (f"x: {'[' * 200_000}", "study.yaml, line 1: blocks stand in one another more than 50 levels deep"),
        (f"#{'x' * 9_000_000}\na: 1\n", "study.yaml: 9 MiB are no configuration of a study, which has at most 8"),
        (bomb("[1, 1, 1]", lambda n: f"[{f'*a{n}, ' * 9}*a{n}]"), "study.yaml: it stands for more than 200000 keys"),
        (
            bomb("{k: 1}", lambda n: f"{{{', '.join(f'k{k}: *a{n}' for k in range(10))}}}"),
            "study.yaml: it stands for more than 200000 keys",
        ),
        ("budget: 5\n".encode("utf-16"), "study.yaml: not valid YAML, since it is not in UTF-8 but in UTF-16"),
        ("budget: 5\n".encode("utf-16-le"), "study.yaml: not valid YAML, since it is not in UTF-8 but in UTF-16"),
        ("a: 1\nb: Zürich\n".encode("latin-1"), "study.yaml: not valid YAML, since line 2 is not in UTF-8; save it"),
        ("a: 2025-13-45\n", "study.yaml: not valid YAML (month must be in 1..12"),
        ("a: !!python/object/apply:os.system [x]\n", "study.yaml: not valid YAML (could not determine a constructor"),
        ("a: *b\n", "study.yaml: not valid YAML (found undefined alias"),
        ('{"a": {"b": 1, "b": 2}}', "study.yaml: the key 'b' is given twice in one block; keep one of them."),
        (f'{{"a": {"9" * 5000}}}', "study.yaml: it has a number of more than 300 digits; shorten it."),
        (f'{{"a": {"9" * 400}}}', "study.yaml: it has a number of more than 300 digits; shorten it."),
        (
            f'{{"a": {"[" * 100_000}{"]" * 100_000}}}',
            "study.yaml: blocks stand in one another more than 50 levels deep",
        ),
        (f'{{"a": {"[" * 60}{"]" * 60}}}', "study.yaml: blocks stand in one another more than 50 levels deep"),
    ],
    ids=lambda item: repr(item)[:40],
)
def test_what_lies_or_is_too_large_is_refused_with_its_line(tmp_path, content, sentence):
    assert refusal(tmp_path, content).startswith(sentence)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("\ufeffa: 10\n", {"a": 10}),
        ("a: '010'\nb: \"3:14\"\nc: 0\nd: 0.5\ne: 0x1f\nf: 1_000\n", dict(a="010", b="3:14", c=0, d=0.5, e=31, f=1000)),
        ("base: &base {x: 1, y: 2}\nmine: {<<: *base, x: 3}\n", {"base": {"x": 1, "y": 2}, "mine": {"x": 3, "y": 2}}),
        ("{a: 1, b: [x, y]}", {"a": 1, "b": ["x", "y"]}),
        ('{"a": 1, "b": ["x", "y"]}', {"a": 1, "b": ["x", "y"]}),
        ("1: one\n'1': text\n", {1: "one", "1": "text"}),
        ("", None),
    ],
)
def test_what_means_what_it_says_is_read(tmp_path, content, value):
    assert read(tmp_path, content) == value


def test_parser_in_python_and_parser_in_c_see_the_same(tmp_path, monkeypatch):
    import yaml

    monkeypatch.setattr(reading, "_LOADER", yaml.SafeLoader)
    assert "octal" in refusal(tmp_path, "budget: 010\n")
    assert "twice" in refusal(tmp_path, "a: 1\na: 2\n")
    assert "levels deep" in refusal(tmp_path, f"x: {'[' * 900}{']' * 900}\n")


def test_what_snakemake_has_read_is_bounded_too():
    """A module, or `--config`, gives values instead of a file."""
    value: dict = {}
    for _ in range(900):
        value = {"arguments": value}
    with pytest.raises(InputError, match=r"^blocks stand in one another more than 50 levels deep; flatten them\.$"):
        config.parse({"labels": {"ase": value}})
    many = [1] * 10
    for _ in range(12):
        many = [many] * 10
    with pytest.raises(InputError, match=r"^it stands for more than 200000 keys and values"):
        config.parse({"labels": {"ase": {"arguments": {"x": many}}}})
    with pytest.raises(InputError, match=r"more than 300 digits"):
        config.parse({"seed": 10**5000})


def test_so_is_the_text_of_a_job():
    job = Job(verb="x", rule="x", stage="report", reads=StudyPart)
    with pytest.raises(InputError, match=r"^--config: blocks stand in one another more than 50 levels deep"):
        job.load('{"study": ' * 900 + "1" + "}" * 900)
    with pytest.raises(InputError, match=r"^--config: the key 'study' is given twice"):
        job.load('{"study": 1, "study": 2}')
    with pytest.raises(InputError, match=r"^--config: .*more than 300 digits"):
        job.load(json.dumps({"study": 1})[:-2] + "9" * 5000 + "}")
