"""The command line as a whole: help that explains, mistakes in one line, pipes that end early."""

import argparse
import os
import re
import subprocess
import sys
from importlib import import_module

import pytest
import yaml

from gapdesign import __version__, cli
from gapdesign.errors import InputError, ProgramError

STUDY = {
    "prototypes": {"bcc": {"element": "Zr", "lattice": "bcc", "a": 3.574}},
    "pools": {"size": 20, "shard_size": 8},
    "budget": 4,
    "designs": {"OPT": {"pool": "A", "method": "maxmin"}, "RND": {"pool": "B", "method": "random"}},
}

SELECT = ["--candidates", "a", "--sums", "b", "--output", "c", "--output-features", "d", "--output-reserve", "e"]
SELECT += ["--output-reserve-features", "f"]

LABELS = ["--store", "s", "--design", "OPT", "--labelled", "b.extxyz", "--failed", "b.csv", "--output-failed", "d"]


def parsers() -> dict[str, argparse.ArgumentParser]:
    actions = cli.parser()._actions
    return next(action.choices for action in actions if isinstance(action, argparse._SubParsersAction))


VERBS = sorted(parsers())


@pytest.fixture(autouse=True)
def study(tmp_path, monkeypatch):
    """A folder with a configuration under the default name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_help_explains_the_verb_and_every_argument(verb, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([verb, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    description = parsers()[verb].description
    assert len(description.split()) >= 5
    assert description.splitlines()[0] in text
    for action in parsers()[verb]._actions:
        assert action.help, f"{verb} {action.dest}"


@pytest.mark.parametrize("verb", VERBS)
def test_what_a_verb_writes_is_called_output_and_nothing_else_is(verb):
    parser = parsers()[verb]
    inner = [choice for action in parser._actions if isinstance(action.choices, dict) for choice in action.choices]
    for each in [parser, *(parser._subparsers._group_actions[0].choices[name] for name in inner)]:
        for action in each._actions:
            for flag in action.option_strings:
                assert flag.startswith("--output") == bool(re.search(r"\bto write\b", action.help)), (verb, flag)


def test_the_help_of_the_whole_lists_every_verb_with_a_summary(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for verb, parser in parsers().items():
        summary = " ".join(parser.description.split("\n\n")[0].split()).rstrip(".")
        assert f" {verb} {summary[:1].lower()}{summary[1:]}" in text


def test_every_job_of_the_workflow_is_a_verb():
    assert set(cli.jobs()) <= set(VERBS)


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"gapdesign {__version__}\n"


def test_python_runs_the_package_as_the_command():
    run = subprocess.run([sys.executable, "-m", "gapdesign", "check"], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("zr-demo: 2 pools of 20 candidates, 3 shards each (strain)\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "--config", "nowhere.yaml"], "nowhere.yaml: no such file; name a configuration with --config."),
        (["check", "--config", "config"], "config: Is a directory."),
        (["check", "--config", '{"budget": '], "--config: a text that begins with '{' must be JSON"),
        (["candidate", "--pool", "C", "--index", "3"], "--pool C: no such pool; choose from A, B."),
        (["candidate", "--pool", "A", "--index", "20"], "--index 20: pool A has candidates 0 to 19."),
        (["candidate", "--pool", "A", "--index", "-1"], "--index -1: pool A has candidates 0 to 19."),
        (
            ["candidates", "--pool", "A", "--start", "5", "--stop", "5", "--output", "x.npz"],
            "--start 5 --stop 5: a shard has 0 <= start < stop.",
        ),
        (
            ["descriptors", "--candidates", "no.npz", "--output", "x.npy", "--output-sum", "y.npy"],
            "no.npz: no such file; run `snakemake candidates`.",
        ),
        (
            ["basis", "--features", "no.npy", "--output", "x.npz"],
            "no.npy: no such file; run the stage that makes it.",
        ),
        (
            ["compress", "--basis", "no.npz", "--features", "no.npy", "--output", "x.npy"],
            "no.npz: no such file; run `gapdesign basis`.",
        ),
        (
            ["select", "--design", "OTP", *SELECT, "--features", "0-8.npy"],
            "--design OTP: there is no such design; choose from OPT, RND.",
        ),
        (
            ["select", "--design", "OPT", *SELECT, "--features", "0-8.npy"],
            "0-8.npy: no such file; run the stage that makes it.",
        ),
        (
            ["select", "--design", "OPT", *SELECT, "--features", "first.npy"],
            "first.npy: the name of a shard must be <start>-<stop>.npy.",
        ),
        (["verify", "OTP.extxyz"], "--design OTP: there is no such design; choose from OPT, RND."),
        (["headline", "results"], "results/headline.txt: no such file; run `snakemake report` for this study first."),
        (
            ["labels", *LABELS, "--designs", "OPT.extxyz", "--output", "c"],
            "OPT.extxyz: no such file; run the stage that makes it.",
        ),
        (["store", "verify", "st"], "st: no such folder; name that of labels.store."),
        (["store", "export", "st", "--output", "x"], "st: no such folder; name that of labels.store."),
        (["store", "import", "x.extxyz"], "FILE: no file 'x.extxyz'; paths start where snakemake is run."),
        (
            ["export", "--format", "xyz", "a.extxyz", "--output", "x"],
            "a.extxyz: no such file; run the stage that makes it.",
        ),
        (["match", "a.extxyz"], "labels.engine: eam makes its labels; only those of `file` can be matched."),
        (["concatenate", "--tables", "a.csv", "--output", "b"], "a.csv: no such file; run the stage that makes it."),
    ],
    ids=lambda item: " ".join(item)[:50] if isinstance(item, list) else "",
)
def test_a_mistake_gives_status_2_and_one_line(arguments, sentence, capsys, study):
    before = sorted(study.rglob("*"))
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"gapdesign {arguments[0]}: {sentence}")
    assert captured.err.count("\n") == 1
    assert captured.err.endswith(".\n")
    assert sorted(study.rglob("*")) == before


def test_a_mistake_in_the_configuration_stops_every_verb_that_reads_a_file(capsys, study):
    (study / "config/config.yaml").write_text(yaml.safe_dump(STUDY | {"budget": 21}))
    for arguments in (
        ["check"],
        ["candidate", "--pool", "A", "--index", "0"],
        ["candidates", "--pool", "A", "--start", "0", "--stop", "5", "--output", "x.npz"],
        ["isolated", "--store", "s", "--output", "x"],
        ["provenance", "--files", "config/config.yaml", "--output", "x"],
    ):
        assert cli.main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"gapdesign {arguments[0]}: budget: 21 structures cannot be chosen from pools of 20")
        assert error.count("\n") == 1


def test_an_output_that_cannot_be_written_is_named(capsys, study):
    (study / "taken").write_text("a file, not a folder")
    arguments = ["candidates", "--pool", "A", "--start", "0", "--stop", "2", "--output", "taken/0-2.npz"]
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("gapdesign candidates: taken")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("budget: 3."), 2, "gapdesign check: budget: 3.\n"),
        (ProgramError("gap_fit failed."), 1, "gapdesign check: gap_fit failed.\n"),
        (OSError(28, "No space left on device", "a.npy"), 2, "gapdesign check: a.npy: No space left on device.\n"),
        (OSError(28, "No space left on device"), 2, "gapdesign check: a file: No space left on device.\n"),
        (KeyboardInterrupt(), 130, "gapdesign check: interrupted; nothing half-written is left.\n"),
    ],
)
def test_each_kind_of_end_has_its_status_and_line(error, status, line, capsys, monkeypatch):
    def fail(arguments):
        raise error

    monkeypatch.setattr("gapdesign.cli.study._check", fail)
    assert cli.main(["check"]) == status
    assert capsys.readouterr().err == line


def test_an_error_of_ours_is_not_hidden(monkeypatch):
    def fail(arguments):
        raise ZeroDivisionError

    monkeypatch.setattr("gapdesign.cli.study._check", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["check"])


@pytest.mark.parametrize("arguments", [["candidate", "--pool", "A", "--index", "3"], ["check"], ["--help"]])
@pytest.mark.parametrize("buffered", [True, False])
def test_a_reader_that_goes_away_is_no_error(arguments, buffered):
    """Run `gapdesign ... | head`, with the reading end closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    run = subprocess.run(
        [sys.executable, "-m", "gapdesign", *arguments],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("module", cli.VERBS)
def test_a_module_adds_the_verbs_that_it_is_listed_with(module):
    verbs = argparse.ArgumentParser().add_subparsers()
    import_module(f"gapdesign.cli.{module}").register(verbs)
    assert tuple(verbs.choices) == cli.VERBS[module]


@pytest.mark.parametrize("module", [None, *cli.VERBS])
def test_a_verb_loads_what_it_needs_alone(module):
    """A study runs thousands of short jobs, which start in a fraction of a second only if they import little."""
    unneeded = {"quippy", "dscribe", "pymatgen", "matplotlib", "pandas", "matscipy", "sklearn", "scipy.linalg"}
    if module not in (None, "study", "page", "report"):  # others read a part of the study
        unneeded |= {"gapdesign.config.study"}
    if module in ("candidates", "descriptors", "labels", "models", "crossval", "properties"):
        unneeded |= {"gapdesign.methods.options"}
    verb = None if module is None else cli.VERBS[module][0]
    code = f"import sys\nfrom gapdesign import cli\ncli.parser({verb!r})\nprint(*sorted({unneeded} & {{*sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
