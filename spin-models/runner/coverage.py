# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Statements of the models that no run ever reaches.

SPIN does not look inside a d_step, so a row with `cover` is run a second time with
STEP=atomic. A statement counts as reached if any covering row of the file reaches any of its
instances (an inline has one per use). unreached.tsv names the ones that may stay, with a reason.
"""
from pathlib import Path

LIST = Path(__file__).resolve().parent.parent / "unreached.tsv"


def allowed():
    """{(model file, file of the statement, statement)}, each with a reason."""
    found = {}
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            model, where, statement, reason = line.split("\t")
            found[model, where, statement] = reason
    return found


def left(results):
    """(model, file, statement) that no covering row reaches; line numbers are dropped."""
    reached, unreached = set(), set()
    for result in results:
        reached |= result.reached
        unreached |= result.unreached
    return sorted({(model, place, text) for model, place, text in unreached - reached})


def problems(results):
    """Differences between the unreached statements and unreached.tsv, both ways."""
    named = allowed()
    found = {(model, place.split(":")[0].split("/")[-1], text): place for model, place, text in left(results)}
    told = [f"{where} never runs: {key[2]}" for key, where in found.items() if key not in named]
    told += [f"{LIST.name} names a statement of {key[0]} that does run: {key[2]}" for key in named if key not in found]
    covered = {result.row.file for result in results if result.row.coverage}
    passing = {result.row.file for result in results if result.row.passes}
    told += [f"{file} has no row with `cover`" for file in sorted(passing - covered)]
    return told
