# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Reading expected.tsv and running its rows."""
from dataclasses import dataclass, field
from pathlib import Path
import re
import shlex
import time

from . import pan, traces

HERE = Path(__file__).resolve().parent.parent
COLUMNS = 10
PAN_LIMIT = 3600                     # seconds that one row may take
TROUBLE = (
    ("max search depth too small", "the search depth is too small"),
    ("Search not completed", "the search was not completed"),
    ("requires -a flag", "the property is not checked without -a"),
    ("hash factor", "the hash table is too small for an exact answer"),
    ("out of memory", "out of memory"),
)


@dataclass
class Row:
    """One line of expected.tsv; its header documents the columns."""
    name: str
    tier: str
    file: str
    spin: str
    compiler: str
    pan: str
    verdict: str
    states: str
    extra: str
    sentence: str
    line: int = 0

    @property
    def passes(self):
        return self.verdict == "ok"

    @property
    def coverage(self):
        return self.extra == "cover"

    @property
    def trace(self):
        """(depth, most events) of a counterexample that is kept in traces/, or None."""
        found = re.fullmatch(r"trace (\d+)/(\d+)", self.extra)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def claim(self):
        """Whether the row checks a formula."""
        return any(word in self.spin for word in ("LIVENESS", "PINGS", "WITNESS"))

    @property
    def gcc(self):
        """Compiling a verifier with -O2 takes longer than most searches do."""
        large = int(self.states) > 500_000 or self.trace and self.trace[0] > 80
        return f"-O{2 if large else 0} {self.compiler}".strip()

    def command(self):
        """What a reader types in spin-models/ to run the row by hand."""
        return (f"spin {self.spin} -a {self.file} && gcc -w {self.gcc} -o pan pan.c"
                f" && ./pan {self.pan}").replace("  ", " ")


@dataclass
class Result:
    row: Row
    problems: list = field(default_factory=list)
    states: int = 0
    transitions: int = 0
    depth: int = 0
    megabytes: float = 0
    seconds: float = 0
    reached: set = field(default_factory=set)
    unreached: set = field(default_factory=set)


class TableError(Exception):
    """A line of expected.tsv that cannot be read."""


def read(path=HERE / "expected.tsv"):
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != COLUMNS:
            raise TableError(f"{path.name}:{number}: {len(cells)} columns, {COLUMNS} wanted")
        row = Row(*(cell.strip() for cell in cells), line=number)
        complain = None
        if row.tier not in ("default", "deep"):
            complain = f"tier `{row.tier}` is neither default nor deep"
        elif not row.states.isdigit():
            complain = "a row needs its exact number of states"
        elif row.claim and "-a" not in shlex.split(row.pan):
            complain = "a formula needs -a"
        elif row.claim and "-DSAFETY" in row.compiler:
            complain = "a formula cannot be checked with -DSAFETY"
        elif "-DHC" in row.compiler or "-DBITSTATE" in row.compiler:
            complain = "hash compaction and bit states are not exhaustive"
        if complain:
            raise TableError(f"{path.name}:{number}: {row.name}: {complain}")
        rows.append(row)
    for row in rows:
        formula = next((word for word in ("LIVENESS", "PINGS") if word in row.spin), None)
        if formula and row.passes and not any(formula in twin.spin and twin.file == row.file and not twin.passes for twin in rows):
            raise TableError(f"{path.name}:{row.line}: {row.name}: no row shows how {formula} of {row.file} can fail")
    names = [row.name for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise TableError(f"{path.name}: two rows are called {name}")
    return rows


def number(pattern, text, kind=int):
    """The number in group 1; from a hundred million on pan writes it as 1.2345678e+08."""
    found = re.search(pattern, text)
    return kind(float(found[1])) if found else kind(0)


def unreached_states(text):
    """{(proctype, state)} of pan's list of unreached statements, final brackets left out."""
    found, process = set(), None
    for line in text.splitlines():
        if line.startswith("unreached in "):
            process = line.split()[-1]
        match = re.match(r'\t.*state (\d+), "(.*)"', line)
        if process and match and match[2] != "-end-":
            found.add((process, int(match[1])))
    return found


def statements(listing):
    """{(proctype, state): (file:line, statement)} from `pan -d`; instances of an inline look alike."""
    found, process = {}, None
    for line in listing.splitlines():
        if line.startswith(("proctype ", "init", "claim ")):
            process = line.split()[-1]
        match = re.match(r"\s+state\s+(\d+) -\(tr.*?\] (\S+:\d+) => (.*)", line)
        if process and match and match[3] not in ("else", "(1)", "-end-"):
            text = match[3].split("',")[0] if match[3].startswith("printf") else match[3]
            text = re.sub(r"\b\d+\b|\bi\b", "#", text)
            found.setdefault((process, int(match[1])), set()).add((match[2], text))
    return found


def run(row, work):
    """Runs one row in the folder `work` and compares it with what the table expects."""
    result = Result(row)
    started = time.monotonic()
    folder = Path(work) / row.name
    try:
        (run_passing if row.passes else run_failing)(row, result, folder)
    except (pan.ModelError, pan.subprocess.TimeoutExpired) as error:
        result.problems.append(str(error))
    result.seconds = time.monotonic() - started
    return result


def run_passing(row, result, folder):
    pan.build(folder, HERE / row.file, row.spin, row.gcc)
    text = pan.output(folder, row.pan, PAN_LIMIT)
    measure(row, result, text)
    errors = re.search(r"errors: (\d+)", text)
    if not errors:
        result.problems.append(f"no result: {text.strip()[-200:]}")
    elif errors[1] != "0":
        result.problems.append("error: " + (re.search(r"pan:\d+: (.*)", text) or ["", "?"])[1])
    result.problems += [told for word, told in TROUBLE if word in text]
    if row.claim and any(process not in ("init",) and not process[0].isupper()
                         for process, _ in unreached_states(text)):
        result.problems.append("vacuous: a part of the formula is never reached")
    if row.coverage:
        cover(row, result, folder)
    if not result.problems:
        pan.shutil.rmtree(folder)


def cover(row, result, folder):
    """The same run with STEP=atomic, in which SPIN reports unreached statements inside a step."""
    pan.build(folder, HERE / row.file, row.spin + " -DSTEP=atomic", row.gcc)
    text = pan.output(folder, row.pan, PAN_LIMIT)
    states = number(r"([\d.e+]+) states, stored", text)
    if states != result.states or "errors: 0" not in text:
        result.problems.append(f"atomic steps: {states} states instead of {result.states}, or an error")
    missing = unreached_states(text)
    for where, texts in statements(pan.output(folder, "-d")).items():
        (result.unreached if where in missing else result.reached).update((row.file, *t) for t in texts)


def run_failing(row, result, folder):
    compiler, options = row.gcc, row.pan
    if row.trace:
        compiler += " -DREACH"
        options += f" -m{row.trace[0]}" + (" -i" if "-DSAFETY" in row.compiler else "")
    pan.build(folder, HERE / row.file, row.spin, compiler)
    text = pan.output(folder, options, PAN_LIMIT)
    measure(row, result, text)
    found = re.search(r"pan:\d+: (.*)", text)
    if "errors: 0" in text:
        result.problems.append("a counterexample was expected, none was found")
    elif not found or not found[1].startswith(row.verdict):
        result.problems.append(f"fails in another way: {found[1] if found else text.strip()[-200:]}")
    else:
        events = traces.replay(folder, HERE / row.file, row.spin)
        result.problems += traces.compare(row, events)
    if not result.problems:
        pan.shutil.rmtree(folder)


def measure(row, result, text):
    result.states = number(r"([\d.e+]+) states, stored", text)
    result.transitions = number(r"([\d.e+]+) transitions", text)
    result.depth = number(r"depth reached (\d+)", text)
    result.megabytes = number(r"([\d.]+)\s+total actual memory", text, float)
    if result.states != int(row.states):
        result.problems.append(f"{result.states} states, expected {row.states}")
