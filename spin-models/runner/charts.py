# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Message sequence charts (SVG) drawn from the kept traces."""
from html import escape
from pathlib import Path
import math
import re

from . import traces

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "charts"
# chart, trace, title, first event to draw, the two parties
CHARTS = (
    ("move", "witness-move", "A move", "leave", ("host0", "host1")),
    ("crossing-moves", "witness-crossing", "Both hosts move at once", "move", ("host0", "host1")),
    ("hip-deadlock", "hip-retransmit", "HIP: two moves, and UPDATE 2 waits for ever", "", ("M", "S")),
    ("tcp-migrate-false-ack", "tcp-migrate", "TCP-Migrate: the SYN/ACK of an older request", "", ("M", "S")),
)
STEP, TOP, LEFT, RIGHT, WIDTH = 34, 90, 150, 690, 840
STYLE = """<style>
text{font:13px sans-serif;fill:#222}.t{font-size:16px;font-weight:bold}.p{font-weight:bold}
line,path{stroke:#222;fill:none;stroke-width:1.3}.life{stroke:#999;stroke-dasharray:4 4}
.lost{stroke:#c0392b}.bad{fill:#c0392b}.note{fill:#fdf3d0;stroke:#b8860b}.m{fill:#1a5276;paint-order:stroke;stroke:#fff;stroke-width:4}
</style>"""


class Arrow:
    """A packet: who sent it, its label, the rows where it leaves and (perhaps) arrives."""

    def __init__(self, party, label, row):
        self.party, self.label, self.sent, self.got, self.lost = party, label, row, None, False


def label_of(text):
    """The part of an event that names the packet: its type and number."""
    found = re.match(r"([A-Z_]+)(?: of)?(?: (v?\d+))?", text)
    return " ".join(part for part in found.groups() if part) if found else text


def parse(events, first, parties):
    """(notes, arrows, rows): notes are (row, party, text)."""
    start = next((n for n, event in enumerate(events) if first and f" {first} " in event), 0)
    notes, arrows, row = [], [], 0
    for event in events[start:]:
        if event.startswith(("violated", "--", "round")):
            continue
        party, _, rest = event.partition(" ")
        if party not in parties:
            continue
        for part in rest.split(", "):
            draw_part(part, party, row, notes, arrows)
        row += 1
    return notes, arrows, row


def draw_part(part, party, row, notes, arrows):
    verb, _, text = part.partition(" ")
    if verb == "send":
        arrows.append(Arrow(party, text, row))
    elif verb == "lose" or part.endswith(" lost"):
        arrow = Arrow(party, text if verb == "lose" else part[:-5], row)
        arrow.lost = True
        arrows.append(arrow)
    elif verb in ("get", "miss"):
        for arrow in reversed(arrows):
            if arrow.party != party and label_of(arrow.label) == label_of(text) and arrow.got is None and not arrow.lost:
                arrow.got, arrow.lost = row, verb == "miss"
                return
        notes.append((row, party, f"a copy of {label_of(text)}"))
    elif verb in ("move", "leave", "arrive", "release"):
        notes.append((row, party, part))
    elif verb == "data":
        notes.append((row, party, part))


def draw(title, events, first, parties, ending, failed):
    notes, arrows, rows = parse(events, first, parties)
    height = TOP + STEP * (rows + 2)
    x = {parties[0]: LEFT, parties[1]: RIGHT}
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
           STYLE, '<defs><marker id="a" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
           '<path d="M0 0 L8 4 L0 8 z" style="fill:#222"/></marker></defs>',
           f'<rect width="{WIDTH}" height="{height}" fill="#fff"/><text class="t" x="20" y="30">{escape(title)}</text>']
    for party, at in x.items():
        out.append(f'<text class="p" x="{at}" y="60" text-anchor="middle">{party.replace("host", "host ")}</text>'
                   f'<line class="life" x1="{at}" y1="68" x2="{at}" y2="{height - STEP}"/>')
    for arrow in arrows:
        out.append(draw_arrow(arrow, x, parties))
    for row, party, text in notes:
        width = 8 * len(text) + 14
        left = x[party] - width - 8 if party == parties[0] else x[party] + 8
        y = TOP + STEP * row
        out.append(f'<rect class="note" x="{left}" y="{y - 12}" width="{width}" height="20" rx="3"/>'
                   f'<text x="{left + width / 2}" y="{y + 3}" text-anchor="middle">{escape(text)}</text>')
    colour = "bad" if failed else ""
    out.append(f'<text class="{colour}" x="{WIDTH / 2}" y="{height - 10}" text-anchor="middle">'
               f'{escape(ending)}</text></svg>\n')
    return "\n".join(out)


def draw_arrow(arrow, x, parties):
    start = x[arrow.party]
    end = x[parties[1] if arrow.party == parties[0] else parties[0]]
    y0 = TOP + STEP * arrow.sent
    reached = arrow.got is not None and not arrow.lost
    y1 = TOP + STEP * arrow.got if arrow.got is not None else y0 + 8
    mark = ""
    if not reached:
        end = start + (end - start) * 0.72
        mark = f'<text class="bad" x="{end + (9 if end > start else -9)}" y="{y1 + 5}" text-anchor="middle">✕</text>'
    share = 0.28 if reached else 0.5    # labels stand near the sender, so that those of crossing packets stay apart
    middle, level = start + (end - start) * share, y0 + (y1 - y0) * share
    slope = math.degrees(math.atan2(y1 - y0, end - start))
    slope = slope - 180 if slope > 90 else slope
    text = re.sub(r" tok0\b", "", arrow.label)
    text = re.sub(r" v0 (?=from|to|$)", " ", text) if text.startswith(("PING", "PONG")) else text
    head = 'class="" marker-end="url(#a)"' if reached else 'class="lost"'
    return (f'<line {head} x1="{start}" y1="{y0}" x2="{end}" y2="{y1}"/>{mark}'
            f'<text class="m" transform="translate({middle:.0f} {level:.0f}) rotate({slope:.1f})" y="-5" '
            f'text-anchor="middle">{escape(text)}</text>')


def read(name):
    lines = (traces.FOLDER / f"{name}.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


ENDINGS = {
    "move": "host 1 sends to the new address",
    "crossing-moves": "each host sends to the other's new address",
    "hip-deadlock": "UPDATE 1 names a1, which was left; UPDATE 2 waits for its acknowledgement",
    "tcp-migrate-false-ack": "M is content at a1; S waits for an ACK from a0",
}


def compare(write):
    """Problems of the committed charts; with `write` they are drawn anew instead."""
    told = []
    for chart, trace, title, first, parties in CHARTS:
        if not (traces.FOLDER / f"{trace}.txt").exists():
            told.append(f"traces/{trace}.txt is missing")
            continue
        svg = draw(title, read(trace), first, parties, ENDINGS[chart], not trace.startswith("witness"))
        path = FOLDER / f"{chart}.svg"
        if write:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(svg)
        elif not path.exists() or path.read_text() != svg:
            told.append(f"docs/charts/{path.name} differs from what its trace says; `check --write` draws it")
    return told
