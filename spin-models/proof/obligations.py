# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""The theorem cut into named obligations, each one question to the solver."""
from dataclasses import dataclass

from z3 import And, BoolVal, Const, Not, Solver, sat, unsat

import rank
from connection import FIRST, FLOW, HOSTS, NETWORK, RELATIONS, State, every, initial
from environment import Adverse, RECOVERABLE, Rendezvous, Unaided
from invariant import fairness, progress, safety
from settled import FLOW_UNDER_PROOF, converged, help_at_set_up, opened, settled
from steps import F, steps

TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class Obligation:
    """hypotheses imply goal, in every model."""
    name: str
    hypotheses: tuple
    goal: object

    def verdict(self):
        """'proved', 'refuted' (the solver has a counterexample) or 'unknown'."""
        solver = Solver()
        solver.set("timeout", TIMEOUT_MS)
        solver.add(*self.hypotheses, Not(self.goal))
        answer = solver.check()
        return "proved" if answer == unsat else "refuted" if answer == sat else "unknown"

    def same_question(self, other):
        """The solver would be asked the very same thing."""
        return (len(self.hypotheses) == len(other.hypotheses) and self.goal.eq(other.goal)
                and all(a.eq(b) for a, b in zip(self.hypotheses, other.hypotheses)))


def _obligation(name, hypotheses, goal):
    """An obligation whose hypotheses and goal are formulas, also where a rule is simply true."""
    return Obligation(name, tuple(map(_formula, hypotheses)), _formula(goal))


def _formula(value):
    return BoolVal(value) if isinstance(value, bool) else value


def _inductive(rules, env, invariant, assumed=None, extra_goals=None):
    """The clauses hold at first, and every step keeps each of them."""
    s, s0 = State("s"), State("start")
    start = (*initial(s0), *env.initially(s0))
    for name, clause in invariant(s0).items():
        yield _obligation(f"start/{name}", start, clause)
    before = (*(assumed(s) if assumed else {}).values(), *invariant(s).values())
    for step, guard, t in steps(rules, env, s):
        goals = invariant(t) | (extra_goals(s, t) if extra_goals else {})
        for name, clause in goals.items():
            yield _obligation(f"{step}/{name}", (*before, guard), clause)


def safety_section(rules, env):
    """Safety, whatever the network, NATs, forgers and movers do."""
    return _inductive(rules, env, safety, extra_goals=progress)


def sources_section(rules, env):
    """What honest sources add, for hosts that are behind a NAT or not."""
    def clauses(s):
        own = env.invariants(s)
        return {name: c for name, c in fairness(s, env).items() if name not in own}
    return _inductive(rules, env, clauses, assumed=safety)


def assumption_section(rules, env):
    """What one recovery assumption keeps true."""
    def assumed(s):
        own = env.invariants(s)
        known = {name: c for name, c in fairness(s, env).items() if name not in own}
        return safety(s) | known
    return _inductive(rules, env, env.invariants, assumed=assumed)


def settled_section(rules, env):
    """A settled connection has converged: its first flow, and then every other."""
    s = State("s")
    known = (*_invariants(s, env), *settled(rules, env, s), *help_at_set_up(s))
    yield _obligation("first-flow", (*known, opened(s, FIRST)), converged(s, FIRST, env))
    yield _obligation("later-flow", (*known, converged(s, FIRST, env), opened(s, FLOW_UNDER_PROOF)),
                     converged(s, FLOW_UNDER_PROOF, env))


def rank_section(rules, env):
    """Every effective step of a calm network lowers the rank, which is never negative."""
    s = State("s")
    known = _invariants(s, env)
    calm = every((FLOW,), lambda f: And([Not(s.fresh(i, f)) for i in HOSTS]))
    for name, clause in rank.calm_invariant(s, env).items():
        yield _obligation(f"start/{name}", (*known, calm), clause)
    before = (*known, *rank.calm_invariant(s, env).values(), rank.OLD >= 0)
    yield _obligation("bounded", before, rank.bounded(s, env))
    other = Const("other_flow", FLOW)
    for step, guard, t, left in rank.calm_steps(rules, env, s):
        goals = rank.calm_invariant(t, env)
        goals["lowers-rank"] = rank.decreases(s, t, left, env)
        goals["keeps-other-ranks"] = rank.apart(s, t, other, env)
        goals["old-stays-counted"] = left >= 0
        for name, clause in goals.items():
            yield _obligation(f"{step}/{name}", (*before, guard), clause)


def _invariants(s, env):
    return (*safety(s).values(), *fairness(s, env).values())


def impossible_section(rules, env):
    """Claims that must be refuted: if one were proved, the proofs would speak of nothing."""
    s = State("s")
    known = _invariants(s, env)
    quiet = [every(RELATIONS[name], lambda *key: Not(getattr(s, name)(i, *key)))
             for i in HOSTS for name in NETWORK]
    yield _obligation(
        "a-converged-connection-has-not-moved",
        (*known, *settled(rules, env, s), *help_at_set_up(s), converged(s, FIRST, env), *quiet),
        s.ver(0, FIRST) <= 1)
    yield _obligation(
        "a-converged-later-flow-has-not-moved",
        (*known, *settled(rules, env, s), *help_at_set_up(s), converged(s, FIRST, env),
         converged(s, FLOW_UNDER_PROOF, env), FLOW_UNDER_PROOF != FIRST, *quiet),
        s.ver(0, FLOW_UNDER_PROOF) <= 1)
    for step, guard, t in steps(rules, env, s):
        if step.startswith("deliver-") and "data" not in step:
            yield _obligation(f"{step}-changes-nothing", (*known, guard), s.same_endpoints(t, F))
        if step.startswith("deliver-syn-ack"):
            yield _obligation(f"{step}-opens-no-later-flow", (*known, guard, F != FIRST),
                              s.same_endpoints(t, F))


def deadlock_section(rules, env):
    """Convergence of the first flow when both hosts move unaided: must be refuted."""
    return [o for o in settled_section(rules, env) if o.name == "first-flow"]


NATS = (
    Unaided(),
    Rendezvous("one-behind-nat", (), natted=(True, False)),
    Rendezvous("both-behind-nat", (), natted=(True, True)),
)

WITH_INVARIANT = tuple(env for env in RECOVERABLE if env.invariants(State("s")))


@dataclass(frozen=True)
class Section:
    """Obligations of one kind, in the environments that they are stated for."""
    name: str
    make: object
    environments: tuple
    verdict: str = "proved"

    def obligations(self, rules, env):
        """The obligations of `rules` in `env`."""
        return list(self.make(rules, env))


SECTIONS = (
    Section("safety", safety_section, (Adverse(),)),
    Section("sources", sources_section, NATS),
    Section("assumption", assumption_section, WITH_INVARIANT),
    Section("settled", settled_section, RECOVERABLE),
    Section("rank", rank_section, RECOVERABLE),
    Section("impossible", impossible_section, (*RECOVERABLE, Unaided()), "refuted"),
    Section("deadlock", deadlock_section, (Unaided(),), "refuted"),
)
