# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""The conformance table: every state of one end of a flow, every packet, what must happen.

SPIN explores table.pml and prints each step; this module names the states, finds the
shortest way to each of them, and writes conformance.tsv, whose header documents it.
"""
from collections import deque
from pathlib import Path
import re

from . import pan

HERE = Path(__file__).resolve().parent.parent

HEADER = """\
# Conformance table of one end of a flow, exported from endpoint.pml by `spin-models/check --export`.
#
# Addresses: L0 L1 are own (Ln is used with own version n), P0 P1 P2 the peer's (Pn with its version n),
# N is the peer seen through a NAT that has rebound, - is none. tokX is the token made for address X (R10).
#
# state  ID  NAME  own  ver  acked  dest  cand  pending  sources  val  valid  later  draining  WAY
#   NAME      protocol.md section 5; own: own address; ver: own version; acked: the peer has answered ver;
#   dest      where SYN goes; cand: newest version of the peer; pending: cand is not validated yet;
#   sources   where cand came from, while pending; val, valid: validated version and address;
#   later     the flow was added to a connection, so NACK is possible: in SYN_SENT to come, in LISTEN to go;
#   draining  protocol.md 7.10;
#   WAY       a shortest list of events that leads here from the first state of its kind, `;` between.
# row  ID  EVENT  NEXT-ID  OUTPUTS
#   every event that sends something or changes the state; outputs in no order, `,` between.
# ignored  ID  EVENTS
#   every packet that must neither change the state nor send anything, `,` between.
# Events: `TYPE vV [tokX] from A` are packets, the rest are commands and the timer.
# A version without meaning for a type is left out. A SYN-ACK to a later flow returns the token of the SYN to its
# source; one that is `unheard` returns another (R18). Outputs: `TYPE vV [tokX] to A`, DELIVER.
"""

NAMES = {0: "CLOSED", 1: "LISTEN", 2: "SYN_SENT", 3: "SYN_RCVD"}
VERSIONED = {"SYN", "RSYN", "SYNACK", "RSYNACK", "ACK"}
TOKEN = {"SYNACK", "RSYNACK", "ACK"}


def address(number):
    """Own address 1-3 is L0-L2, the peer's 4-6 is P0-P2, 7 is its NAT alias, 0 is none."""
    if number == 0:
        return "-"
    if number <= 3:
        return f"L{number - 1}"
    return f"P{number - 4}" if number <= 6 else "N"


def addresses(mask):
    return "+".join(address(a) for a in range(1, 8) if mask >> a & 1) or "-"


class State:
    """One line of SHOW in table.pml."""

    def __init__(self, numbers):
        (self.st, self.later, self.drain, self.addr, self.ver, self.acked, self.dest,
         self.cand, self.pend, self.srcs, self.val, self.valid) = self.key = numbers

    def name(self):
        if self.st != 4:
            return NAMES[self.st]
        if self.addr == 0:
            return "NOADDRESS_RSYN_RCVD" if self.pend else "NOADDRESS"
        if self.acked:
            return "RSYN_RCVD" if self.pend else "ESTABLISHED"
        return "RSYN_SENT_RCVD" if self.pend else "RSYN_SENT"

    def columns(self):
        return [self.name(), address(self.addr), self.ver, self.acked, address(self.dest),
                self.cand, self.pend, addresses(self.srcs), self.val, address(self.valid),
                self.later, self.drain]


def packet(names, numbers, preposition):
    """`kind other-end version token` as text."""
    kind, other, version, token, *rest = numbers
    kind = names[kind]
    text = kind
    if kind in VERSIONED:
        text += f" v{version}"
    if kind in TOKEN:
        text += f" tok{address(token)}"
    if rest:
        text += " unheard"
    if kind == "NACK":
        text += f" prefer{address(token)}"
    return f"{text} {preposition} {address(other)}"


def steps(lines, names):
    """The (before, event, outputs, after) quadruples and the first states, from what pan printed."""
    rows, firsts, expect_first = set(), [], False
    before = event = None
    outputs = []
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "1" and re.fullmatch(r"[\d ]+", rest):
            before, outputs = tuple(map(int, rest.split())), []
            if expect_first:
                firsts.append(before)
                expect_first = False
        elif word == "2" and re.fullmatch(r"[\d ]+", rest):
            rows.add((before, event, tuple(sorted(outputs)), tuple(map(int, rest.split()))))
        elif word == "EV":
            numbers = list(map(int, rest.split()))
            event = packet(names, numbers, "from") if len(numbers) > 1 else names[numbers[0]]
        elif word == "OUT":
            outputs.append(rest if rest == "DELIVER" else packet(names, map(int, rest.split()), "to"))
        elif word == "INIT":
            expect_first = True
    return rows, firsts


def ways(rows, firsts):
    """Breadth-first: state -> shortest list of events from a first state."""
    after = {}
    for before, event, _, then in sorted(rows):
        after.setdefault(before, []).append((event, then))
    found = {first: [] for first in firsts}
    queue = deque(firsts)
    while queue:
        here = queue.popleft()
        for event, then in after.get(here, []):
            if then not in found:
                found[then] = found[here] + [event]
                queue.append(then)
    return found


def export(work):
    """The whole text of conformance.tsv. `work` is a folder to build in."""
    built = pan.build(work, HERE / "table.pml", "", "-O0 -DSAFETY -DPRINTF")
    lines = pan.output(built, "-m1000000").splitlines()
    rows, firsts = steps(lines, pan.mtypes(built))
    found = ways(rows, firsts)
    order = {key: number for number, key in enumerate(found)}
    text = [HEADER]
    for key, way in found.items():
        columns = [f"s{order[key]}", *State(key).columns(), ";".join(way) or "-"]
        text.append("state\t" + "\t".join(map(str, columns)) + "\n")
    ignored = {}
    for before, event, outputs, then in sorted(rows, key=lambda r: (order[r[0]], r[1:])):
        if outputs or before != then:
            text.append(f"row\ts{order[before]}\t{event}\ts{order[then]}\t{', '.join(outputs) or '-'}\n")
        elif " from " in event:
            ignored.setdefault(before, []).append(event)
    for key, events in ignored.items():
        text.append(f"ignored\ts{order[key]}\t{', '.join(events)}\n")
    return "".join(text)


def compare(work, write):
    """Problems of the committed table; with `write` it is replaced instead."""
    path = HERE / "conformance.tsv"
    text = export(work)
    if write:
        path.write_text(text)
        return []
    if not path.exists() or path.read_text() != text:
        return ["differs from what table.pml prints; `check --export` rewrites it, then the replay of kmod/core must pass"]
    return []
