# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""RESULTS.md: what was measured, where, with which versions."""
from datetime import date
from pathlib import Path
import os
import re
import resource

from . import pan

PATH = Path(__file__).resolve().parent.parent / "RESULTS.md"
TITLES = {"default": "Default tier", "deep": "Deep tier"}
INTRO = """\
# Results of the models

Written by `spin-models/check --write`, one tier at a time. Every row is checked against `expected.tsv`: the
verdict and the exact number of states, which for what passes is that of a complete search. Rows that fail on
purpose (mutants, witnesses, other protocols) show how they fail; their counts are those of the search up to there.
A row of `expected.tsv` without a line here has not been run on the machine that is named.
"""


def machine():
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    spin = re.search(r"Spin Version (\S+)", pan.shell("spin -V", "/").stdout)
    gcc = pan.shell("gcc -dumpfullversion", "/").stdout.strip()
    return (f"{date.today()}, {os.cpu_count()} × {cpu[1] if cpu else 'unknown processor'}, "
            f"{memory // 2**20} GiB, SPIN {spin[1] if spin else '?'}, gcc {gcc}")


COLUMNS = """\
| run | verdict | states | transitions | depth | MB | s | what it says |
|---|---|--:|--:|--:|--:|--:|---|
"""


def line(result):
    row = result.row
    verdict = "passes" if row.passes else row.verdict.replace("|", "\\|")
    counts = " | ".join(f"{count:,.0f}" if count else "–" for count in
                        (result.states, result.transitions, result.depth, result.megabytes))
    return f"| {row.name} | {verdict} | {counts} | {result.seconds:.1f} | {row.sentence} |\n"


def sections():
    """title -> text of the file as it is."""
    if not PATH.exists():
        return {}
    parts = re.split(r"(?m)^(?=## )", PATH.read_text())[1:]
    return {part.split("\n", 1)[0]: part.rstrip() + "\n" for part in parts}


def store(found):
    order = [f"## {title}" for title in TITLES.values()]
    PATH.write_text(INTRO + "".join("\n" + found[title] for title in order if title in found))


def write(tier, results, seconds):
    """Replaces one tier's section and keeps the other."""
    found, title = sections(), f"## {TITLES[tier]}"
    load, used = os.getloadavg()[2], resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = f"{used.ru_utime + used.ru_stime:.0f} s of processor time" if used.ru_utime > 1 else "processor time not measured"
    found[title] = (f"{title}\n\n{machine()}; {seconds:.0f} s in all ({processor}), "
                    f"with a load average of {load:.0f} on the machine.\n\n"
                    + COLUMNS + "".join(line(result) for result in results))
    store(found)


def update(tier, results, names):
    """Replaces the lines of some rows of a tier; `names` is the order of all."""
    found, title = sections(), f"## {TITLES[tier]}"
    if title not in found:
        return
    head, _, body = found[title].partition(COLUMNS)
    lines = {text.split(" | ")[0][2:]: text + "\n" for text in body.splitlines()}
    lines.update({result.row.name: line(result) for result in results})
    found[title] = head + COLUMNS + "".join(lines[name] for name in names if name in lines)
    store(found)
