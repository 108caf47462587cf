# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""RESULTS.md: what was measured, where, with which versions."""
from datetime import date
from pathlib import Path
import os
import re

from . import pan

PATH = Path(__file__).resolve().parent.parent / "RESULTS.md"
TITLES = {"default": "Default tier", "deep": "Deep tier"}
INTRO = """\
# Results of the models

Written by `spin-models/check --write`, one tier at a time. Every row is checked against `expected.tsv`: the
verdict, and for what passes the exact number of states of a complete search. Rows that fail on purpose
(mutants, witnesses, other protocols) show how they fail; their counts are those of the search up to there.
"""


def machine():
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])
    spin = re.search(r"Spin Version (\S+)", pan.shell("spin -V", "/").stdout)
    gcc = pan.shell("gcc -dumpfullversion", "/").stdout.strip()
    return (f"{date.today()}, {os.cpu_count()} × {cpu[1] if cpu else 'unknown processor'}, "
            f"{memory // 2**20} GiB, SPIN {spin[1] if spin else '?'}, gcc {gcc}")


def section(tier, results, seconds):
    lines = [f"## {TITLES[tier]}", "", f"{machine()}; {seconds:.0f} s in all, with a load average of {os.getloadavg()[2]:.0f} on the machine.", "",
             "| run | verdict | states | transitions | depth | MB | s | what it says |",
             "|---|---|--:|--:|--:|--:|--:|---|"]
    for result in results:
        row = result.row
        verdict = "passes" if row.passes else row.verdict.replace("|", "\\|")
        lines.append(f"| {row.name} | {verdict} | {result.states:,} | {result.transitions:,} | {result.depth:,} "
                     f"| {result.megabytes:,.0f} | {result.seconds:.1f} | {row.sentence} |")
    return "\n".join(lines) + "\n"


def write(tier, results, seconds):
    """Replaces one tier's section and keeps the other."""
    kept = {}
    if PATH.exists():
        for part in re.split(r"(?m)^(?=## )", PATH.read_text())[1:]:
            kept[part.split("\n", 1)[0]] = part.rstrip() + "\n"
    kept[f"## {TITLES[tier]}"] = section(tier, results, seconds)
    order = [f"## {title}" for title in TITLES.values()]
    PATH.write_text(INTRO + "".join("\n" + kept[title] for title in order if title in kept))
