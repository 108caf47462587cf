# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Is unbounded.pml what it claims to be: mobile.pml without the version numbers?

Both models are made to print every state they reach, mobile.pml's projected to what
unbounded.pml keeps: per mover whether the peer has seen the newest version (candcur), whether its
candidate is unproven (pend), acked, proved, which packets of the newest version are in
flight, and how many RSYNs are stale. The two sets must be equal, once states with more than L
stale RSYNs are left out.
"""
from pathlib import Path
import re

from . import pan

HERE = Path(__file__).resolve().parent.parent
# name, options of unbounded.pml, options of mobile.pml, L
PAIRS = (
    ("one mobile, L=1", "-DL=1 -DM1=0", "-DN0=4 -DN1=0", 1),
    ("one mobile, L=2", "-DL=2 -DM1=0", "-DN0=5 -DN1=0", 2),
    ("one mobile, L=3", "-DL=3 -DM1=0", "-DN0=6 -DN1=0", 3),
    ("both mobile, L=1", "-DL=1 -DNOOVERLAP", "-DN0=3 -DN1=3 -DNOOVERLAP", 1),
)
LAST = PAIRS[-1][0]
KEPT = "if :: ra[J] != 0 -> ra[J] = B(DEADS) :: else fi;"   # of unbounded.pml; a wrong quotient lacks it

EXPLICIT = """
c_code {
void project(void) {
  int i, v;
  printf("P %d", now.calm);
  for (i = 0; i < 2; i++) {
    int j = 1 - i, stale = 0, newest = now.ver[i], cand = now.cand[i];
    int pend = cand != now.val[i], candcur = cand == newest, live = 1 << now.cur[j];
    int ra = pend && candcur ? now.m[i].ra[newest] : 0;
    for (v = cand + 1; v < newest; v++) if (now.m[i].rs[v] & now.held[j]) stale++;
    printf(" | %d %d %d %d %d %d %d %d %d", candcur, pend, now.acked[i], !!(now.proved[i] & 1 << newest),
      !candcur && now.m[i].rs[newest] & now.held[j], !!(ra & live), !!(ra & ~live),
      pend && now.m[i].ak[cand] & now.held[j], stale);
  }
  printf("\\n");
}
}
"""
RELATIVE = """
c_code {
void project(void) {
  int i, k;
  printf("P %d", now.calm);
  for (i = 0; i < 2; i++) {
    int stale = 0, waits = now.pend[i] && now.candcur[i];
    for (k = 0; k < L; k++) if (now.st[i].rs[k]) stale++;
    printf(" | %d %d %d %d %d %d %d %d %d", now.candcur[i], now.pend[i], now.acked[i], now.proved[i],
      now.rv[i] & 1, waits && now.ra[i] & 1, waits && now.ra[i] & 1 << DEADS, now.pend[i] && now.ak[i] & 1, stale);
  }
  printf("\\n");
}
}
"""


def instrument(text, code, before):
    """Adds the projection in front of a declaration and calls it at the end of every step."""
    text = text.replace(before, "c_decl { void project(void); }\n" + code + before, 1)
    steps = re.sub(r"(:: STEP \{(?:[^{}]|\{[^{}]*\})*?) \}(?=[ \\\n]*(?:\n|$))", r"\1 ; c_code { project(); } }", text)
    return re.sub(r"(?m)^  calm = 1;", "  STEP { calm = 1 ; c_code { project(); } };", steps)


def states(folder, name, text, options):
    """{(calm, mover 0, mover 1)} that the instrumented model reaches."""
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / f"{name}.pml"
    model.write_text(text)
    built = pan.build(folder / name, model, options, "-O1 -DSAFETY")
    lines = pan.output(built, "-m1000000")
    if "errors: 0" not in lines or "too small" in lines:
        raise pan.ModelError(f"projection of {name} with {options}: the search failed")
    return {line for line in lines.splitlines() if line.startswith("P ")}


def stale(line):
    """The larger number of stale RSYNs of the two movers."""
    return max(int(part.split()[-1]) for part in line.split("|")[1:])


def problems(work):
    explicit = instrument((HERE / "mobile.pml").read_text(), EXPLICIT, "/* ---- the rules")
    relative = instrument((HERE / "unbounded.pml").read_text(), RELATIVE, "#define UPTODATE")
    told = []
    for number, (name, unbounded, mobile, most) in enumerate(PAIRS):
        wanted = {s for s in states(work, f"mobile{number}", explicit, mobile + " -DFRESH -DGC") if stale(s) <= most}
        got = states(work, f"unbounded{number}", relative, unbounded)
        if wanted != got:
            told.append(f"{name}: {len(wanted - got)} states only in mobile.pml, {len(got - wanted)} only in "
                        f"unbounded.pml, for example {sorted(wanted ^ got)[:2]}")
        elif len(got) < 20:
            told.append(f"{name}: only {len(got)} states were compared")
        elif name == LAST and states(work, "wrong", relative.replace(KEPT, "ra[J] = 0;"), unbounded) == wanted:
            told.append("a quotient that drops RSYN-ACKs from addresses since left is not noticed")
    return told
