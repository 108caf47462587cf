# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Does the runner notice what it must notice? Each row here is wrong in one way."""
from dataclasses import replace
from pathlib import Path
import tempfile

from . import runs

RIGHT = runs.Row("right", "default", "hip.pml", "-DECCP", "-DSAFETY", "-m1000", "ok", "693", "", "right")
FORMULA = runs.Row("formula", "default", "unbounded.pml", "-DL=2 -DM1=0 -DLIVENESS", "", "-a -m1000", "ok", "0", "", "formula")
WRONG = (
    ("a wrong number of states", replace(RIGHT, states="692"), "693 states, expected 692"),
    ("a search depth that is too small", replace(RIGHT, pan="-m10"), "the search depth is too small"),
    ("an error where none may be", replace(RIGHT, spin=""), "error: assertion violated"),
    ("a mutant that survives", replace(RIGHT, verdict="assertion violated"), "a counterexample was expected"),
    ("a mutant that fails otherwise", replace(RIGHT, spin="", verdict="acceptance cycle"), "fails in another way"),
    ("a trace that is too long", replace(RIGHT, name="hip-retransmit", spin="", verdict="assertion violated",
                                         extra="trace 40/2"), "at most 2 are wanted"),
    ("a counterexample after another search", replace(RIGHT, spin="", verdict="assertion violated", states="1"),
     "states, expected 1"),
    ("a model that does not compile", replace(RIGHT, spin="-DSTEP=nonsense"), "hip.pml"),
    ("a formula that is not checked", replace(FORMULA, compiler="-DSAFETY", pan="-m1000"), "not checked without -a"),
)
UNREADABLE = (
    ("a formula without -a", replace(FORMULA, pan="-m1000")),
    ("a formula with -DSAFETY", replace(FORMULA, compiler="-DSAFETY")),
    ("an approximate search", replace(RIGHT, compiler="-DSAFETY -DBITSTATE")),
    ("a pass without a number of states", replace(RIGHT, states="")),
    ("a mutant without a number of states", replace(RIGHT, verdict="assertion violated", states="")),
    ("a formula that no row refutes", replace(FORMULA, states="1")),
    ("an unknown tier", replace(RIGHT, tier="weekly")),
)


def line(row):
    return "\t".join((row.name, row.tier, row.file, row.spin, row.compiler, row.pan, row.verdict, row.states,
                      row.extra, row.sentence)) + "\n"


def problems(work):
    told = []
    if runs.run(RIGHT, work).problems:
        told.append("the row that is right fails")
    for name, row, wanted in WRONG:
        got = runs.run(row, work).problems
        if not any(wanted in problem for problem in got):
            told.append(f"{name}: the runner says {got or 'nothing'}, not `{wanted}`")
    with tempfile.TemporaryDirectory() as folder:
        for name, row in UNREADABLE:
            path = Path(folder) / "expected.tsv"
            path.write_text(line(row))
            try:
                runs.read(path)
                told.append(f"{name}: the table is accepted")
            except runs.TableError:
                pass
    return told
