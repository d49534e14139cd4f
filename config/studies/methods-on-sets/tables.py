"""Tables of docs/which-method.md, of what `methods.py` has found in all sets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from measures import BETTER
from ratios import better_and_worse, in_words, interval, intervals, markdown
from scipy.stats import spearmanr

SHARES = (0.01, 0.02, 0.05, 0.10, 0.20)
"""Budgets, as shares of the frames that may be chosen."""

SHOWN = {"energies": "energy_rmse", "worst energies": "energy_worst", "forces": "force_rmse"}
PLACES = {"test": "", "held": ", held out"}

SMALL = 0.05
"""Share from which sizes are told apart where methods are worse than random draws."""

CLEARLY = 1.1
"""Ratio above which the whole interval of a case that is listed lies."""


def results(root: Path, name: str, sets: list[str]) -> pd.DataFrame:
    """Return the tables ``name`` of some sets in one, or of all if none is named, with the share of each budget."""
    found = []
    for path in sorted(root.glob(f"*/{name}")):
        if sets and path.parent.name not in sets:
            continue
        table = pd.read_csv(path)
        budgets = json.loads((path.parent / "splits.json").read_text())["budgets"]
        # The smallest budgets of a small set coincide, so shares count from the largest.
        shares = dict(zip(budgets[::-1], SHARES[::-1], strict=False))
        found.append(table.assign(set=path.parent.name, share=table["budget"].map(shares)))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def logs(table: pd.DataFrame) -> pd.DataFrame:
    """Return logs of errors over those of random draws, a row for each design but these, a column for each error.

    The logs of draws are averaged and not the draws, so that a method that is one more draw has 0 on average.
    """
    errors = [f"{place}_{error}" for error in SHOWN.values() for place in PLACES]
    keys = ["set", "share", "split", "method"]
    each = np.log(table.set_index(keys)[[error for error in errors if error in table]])
    each = each.groupby(keys).mean()
    blind = each.xs("random", level="method")
    return each.drop("random", level="method").sub(blind).dropna(how="all")


def ranks(table: pd.DataFrame, error: str, methods: list[str]) -> pd.Series:
    """Return the mean rank of methods in each set, over shares, splits and the random draws ranked with them."""
    wide = table[table["method"].isin(methods)].dropna(subset=[error])
    keys = ["set", "share", "split"]
    alone = wide[wide["method"] != "random"].pivot_table(index=keys, columns="method", values=error)
    blind = wide[wide["method"] == "random"].pivot_table(index=keys, columns="draw", values=error)
    ranked = [alone.assign(random=blind[draw]).dropna().rank(axis=1) for draw in blind]
    return pd.concat(ranked).groupby("set").mean().stack()


def over_sets(ratios: pd.Series) -> pd.Series:
    """Return the ratio of each method over sets in words, the mean log of each set being one value."""
    return ratios.groupby(["method", "set"]).mean().groupby("method").apply(in_words)


def brief(each: pd.DataFrame, columns: str) -> pd.DataFrame:
    """Return ratios of energies and of forces in a cell, in bold where the whole interval is above 1."""

    def cell(own: pd.Series) -> str:
        mean, low, _ = interval(own)
        return f"**{np.exp(mean):.2f}**" if low > 0 else f"{np.exp(mean):.2f}"

    found = each.groupby(["method", columns]).agg(cell)
    return found.agg(" / ".join, axis=1).unstack()


def show(root: Path, sets: list[str]) -> None:
    """Print ratios to random draws, ranks, where methods harm without a warning, and what measures foretell."""
    table = results(root, "errors.csv", sets)
    known = table.groupby("set").agg(splits=("split", "nunique"), methods=("method", "nunique"))
    print(known.to_string(), "\n")
    ratios = logs(table)
    there = ratios.reset_index().groupby("method")["set"].unique()
    for method, own in there.items():
        if len(own) < len(known):
            print(
                f"{method} is not in {', '.join(sorted(set(known.index) - set(own)))}: neither ranked nor over all sets"
            )
    everywhere = [method for method, own in there.items() if len(own) == len(known)]
    print(f"\nover {len(known)} sets and all sizes\n\n{markdown(cited(table, ratios, everywhere))}")
    order = [method for method in cited(table, ratios, everywhere).index if method != "random"]
    own_errors = ratios[[f"test_{SHOWN[what]}" for what in ("energies", "forces")]]
    common = own_errors[own_errors.index.get_level_values("method").isin(everywhere)]
    shares = sorted(common.index.unique("share"))
    sizes = brief(common.groupby(["method", "share", "set"]).mean(), "share")
    sizes.columns = [f"{share:.0%}" for share in sizes]
    print(f"energies / forces, over all sets\n\n{markdown(sizes.loc[[one for one in order if one in sizes.index]])}")
    each = own_errors.groupby(["method", "set", "split"]).mean()
    print(f"energies / forces, each set, over all sizes\n\n{markdown(brief(each, 'set').loc[order])}")
    for what, own in zip(("energies", "forces"), own_errors, strict=True):
        by_share = pd.DataFrame({f"{share:.0%}": over_sets(common[own].xs(share, level="share")) for share in shares})
        print(f"{what}, over all sets\n\n{markdown(by_share.reindex(sizes.index))}")
        words = each[own].groupby(["method", "set"]).apply(in_words).unstack()
        print(f"{what}, each set, over all sizes\n\n{markdown(words)}")
    harmful(ratios, results(root, "before.csv", sets))
    foretold(table, results(root, "before.csv", sets))


def cited(table: pd.DataFrame, ratios: pd.DataFrame, everywhere: list[str]) -> pd.DataFrame:
    """Return the table of all methods over all sets, by mean rank; those that are not in every set at its end."""
    shown = [(what, "test") for what in SHOWN] + [(what, "held") for what in ("energies", "forces")]
    columns = {what + PLACES[place]: over_sets(ratios[f"{place}_{SHOWN[what]}"].dropna()) for what, place in shown}
    found = pd.DataFrame(columns)
    found.loc[~found.index.isin(everywhere)] = np.nan
    found = found.join(better_and_worse(tested(ratios), "method"))
    found.loc["random"] = ["1"] * len(columns) + ["–", "–"]
    mean = []
    for what in ("energies", "forces"):
        rank = ranks(table, f"test_{SHOWN[what]}", [*everywhere, "random"])
        found[f"rank, {what}"] = rank.groupby("method").apply(in_words, float)
        mean.append(rank)
    both = sum(mean) / len(mean)
    found["rank"] = both.groupby("method").apply(in_words, float)
    first = both.groupby("method").mean().sort_values().index
    return found.loc[[*first, *found.index.difference(first)]]


def tested(ratios: pd.DataFrame) -> pd.DataFrame:
    """Return the intervals of each method, set and share, by energies and by forces."""
    keys, errors = ["method", "set", "share"], ("energies", "forces")
    return pd.concat([intervals(ratios[f"test_{SHOWN[what]}"], keys).assign(error=what) for what in errors])


def harmful(ratios: pd.DataFrame, before: pd.DataFrame) -> None:
    """Print where methods are worse than random draws, and whether a warning came before labels."""
    cases = tested(ratios).reset_index()
    cases["worse"] = cases["low"] > 0
    signs = {"warned": "groups", "warned_of_sizes": "sizes"}
    if len(before):
        told = before.groupby(["method", "set", "share"])[list(signs)].agg(lambda some: (some > 0).mean())
        cases = cases.merge(told.rename(columns=signs).reset_index(), how="left")
        cases["either"] = cases[["groups", "sizes"]].max(axis=1)
        for sign in ("groups", "sizes", "either"):
            known = cases.dropna(subset=[sign])
            came = known[sign] > 0.5
            print(
                f"warned of {sign} in most splits: {known[came]['worse'].sum()} of {came.sum()} cases are worse than"
                f" random draws; not warned: {known[~came]['worse'].sum()} of {(~came).sum()}"
            )
    worse = cases[cases["worse"]]
    print(f"\n{len(worse)} of {len(cases)} cases are worse, {(cases['high'] < 0).sum()} better than random draws\n")
    sizes = np.where(worse["share"] < SMALL, f"below {SMALL:.0%}", f"from {SMALL:.0%}")
    counts = worse.groupby(["method", worse["error"], sizes]).size().unstack([1, 2], fill_value=0).sort_index(axis=1)
    counts.columns = [", ".join(names) for names in counts]
    counts["largest"] = np.exp(cases.groupby("method")["mean"].max()).map("{:.2f}".format)
    if len(before):
        told = worse.dropna(subset=["either"])
        warnings = (told["either"] > 0.5).groupby(told["method"])
        counts["warned of"] = warnings.agg(lambda some: f"{some.sum()} of {len(some)}")
    print(f"worse by size, and the largest ratio\n\n{markdown(counts.astype(object))}")
    clear = worse[worse["low"] > np.log(CLEARLY)].sort_values("share")
    rows = []
    for (method, name, what), own in clear.groupby(["method", "set", "error"]):
        each = [f"{share:.0%}: {np.exp(mean):.1f}" for share, mean in zip(own["share"], own["mean"], strict=True)]
        row = {"method": method, "set": name, "error": what, "ratios": ", ".join(each)}
        for sign in signs.values() if len(before) else ():
            row[sign] = ", ".join(f"{share:.0%}" for share in own["share"][own[sign] > 0.5]) or "–"
        rows.append(row)
    listed = pd.DataFrame(rows).set_index("method")
    print(f"all of the interval above {CLEARLY}, and where a warning came\n\n{markdown(listed)}")


def foretold(table: pd.DataFrame, before: pd.DataFrame) -> None:
    """Print rank correlations of measures with errors within one split and size, as `measures.py` does."""
    if not len(before):
        return
    joined = before.merge(table, on=["set", "method", "split", "draw", "budget"], suffixes=("", "_"))
    for title, some in (("all designs", joined), ("random draws", joined[joined["method"] == "random"])):
        for what in ("energies", "forces"):
            error, rows = f"test_{SHOWN[what]}", {}
            for column, sign in BETTER.items():
                found = {
                    (name, split, budget): spearmanr(-sign * own[column], own[error]).statistic
                    for (name, split, budget), own in some.groupby(["set", "split", "budget"])
                    if own[column].nunique() > 1
                }
                each = pd.Series(found).dropna().groupby(level=0).mean()
                rows[column] = {"all sets": in_words(each, float)} | each.map("{:.2f}".format).to_dict()
            print(f"rank correlation with the error of {what}, {title}\n\n{markdown(pd.DataFrame(rows).T, 'measure')}")
