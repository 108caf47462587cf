# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Counterexamples as lists of protocol events."""
from pathlib import Path
import re

from . import pan

FOLDER = Path(__file__).resolve().parent.parent / "traces"
rewrite = False                      # set by `check --write`: traces are stored instead of compared


def replay(folder, model, spin_options):
    """The events of the trail that pan left in the folder, and how it ends."""
    trail = next(iter(sorted(Path(folder).glob("*.trail"))), None)
    if trail is None:
        raise pan.ModelError(f"{model}: pan reported an error and wrote no trail")
    text = pan.shell(f"spin -k {trail.name} {spin_options} {model}", folder).stdout
    events = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("@ "):
            events.append(line[2:])
        elif "START OF CYCLE" in line:
            events.append("-- from here on for ever --")
        elif "text of failed assertion" in line:
            events.append("violated: " + re.sub(r"\s+", " ", line.split("assertion:", 1)[1]).strip())
    return events


def compare(row, events):
    """Problems of a fresh trace: too long, or not the one that is kept."""
    if row.trace is None:
        return []
    counted = [event for event in events if not event.startswith(("violated", "--"))]
    if len(counted) > row.trace[1]:
        return [f"the trace has {len(counted)} events, at most {row.trace[1]} are wanted"]
    problems = []
    path = FOLDER / f"{row.name}.txt"
    text = f"# {row.sentence}\n# {row.command()}\n" + "".join(f"{event}\n" for event in events)
    if rewrite:
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text)
    elif not path.exists():
        problems.append(f"traces/{path.name} is missing; `check --write` makes it")
    elif path.read_text() != text:
        problems.append(f"traces/{path.name} differs from the fresh trace")
    return problems
