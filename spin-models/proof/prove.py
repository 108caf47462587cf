# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Asks the solver every obligation, rejects every mutant, and compares the counts.

Exit status 0 only if every obligation has the verdict that its section demands, the number of
obligations of every section is that of expected.tsv, and every mutant is rejected by exactly the
obligations that its row in mutants.py names.
"""
import argparse
import functools
import multiprocessing
import re
import sys
import time
from pathlib import Path

from environment import ReleaseAtOnce
from mutants import MUTANTS
from obligations import SECTIONS
from rules import Rules

EXPECTED = Path(__file__).with_name("expected.tsv")
BY_NAME = {section.name: section for section in SECTIONS}


def tasks():
    """(section, environment) of every table row, the long ones first."""
    return [(section.name, env.name) for section in SECTIONS for env in section.environments]


def environment(section, name):
    """The environment of a section, or one that only a mutant uses."""
    known = {env.name: env for env in (*BY_NAME[section].environments, ReleaseAtOnce())}
    return known[name]


def check_section(task):
    """(task, number of obligations, those with the wrong verdict, seconds)."""
    section, env = task
    began = time.monotonic()
    asked = BY_NAME[section].obligations(Rules(), environment(section, env))
    answers = [(obligation.name, obligation.verdict()) for obligation in asked]
    wrong = [answer for answer in answers if answer[1] != BY_NAME[section].verdict]
    return task, len(asked), wrong, time.monotonic() - began


@functools.cache
def correct(section, env):
    """The obligations of the correct rules, by name."""
    asked = BY_NAME[section].obligations(Rules(), environment(section, env))
    return {obligation.name: obligation for obligation in asked}


def check_mutant(number):
    """(number, obligations that are not proved for the mutant, number of counterexamples)."""
    mutant = MUTANTS[number]
    section = BY_NAME[mutant.section]
    env = environment(mutant.section, mutant.environment)
    right = correct(mutant.section, mutant.environment)
    failed, refuted = set(), 0
    for obligation in section.obligations(mutant.rules, env):
        # What reads exactly as for the correct rules is proved in the section itself, unless the
        # mutant is the environment.
        if type(mutant.rules) is not Rules and obligation.same_question(right[obligation.name]):
            continue
        verdict = obligation.verdict()
        refuted += verdict == "refuted"
        if verdict != "proved":
            failed.add(re.sub(r"[01](?=/|$)", "", obligation.name))
    return number, sorted(failed), refuted


def expected_counts():
    """{(section, environment): number of obligations} of expected.tsv."""
    rows = (line.split("\t") for line in EXPECTED.read_text().splitlines()[1:])
    return {(section, env): int(count) for section, env, count in rows}


def report_sections(results):
    """Prints the table of sections; returns (passed, failed) obligations."""
    passed = failed = 0
    counts = expected_counts()
    print(f"{'section':12} {'environment':18} {'asked':>6} {'expected':>9} {'s':>6}")
    for task, asked, wrong, seconds in results:
        want = counts.pop(task, None)
        print(f"{task[0]:12} {task[1]:18} {asked:6} {want or 'none':>9} {seconds:6.1f}", flush=True)
        for name, verdict in wrong:
            print(f"  FAILED {task[0]}/{task[1]}/{name}: {verdict}, must be "
                  f"{BY_NAME[task[0]].verdict}")
        failed += len(wrong) + (asked != want)
        passed += asked - len(wrong)
        if asked != want:
            print(f"  FAILED {EXPECTED.name}: {task[0]} {task[1]}: {want} expected, {asked} asked")
    for section, env in counts:
        failed += 1
        print(f"  FAILED {EXPECTED.name}: no section {section} {env}")
    return passed, failed


def report_mutants(results):
    """Prints the table of mutants; returns (passed, failed) mutants."""
    passed = failed = 0
    print(f"\n{'mutant':26} {'rule':10} {'rejected in':26} by")
    for number, rejected_by, refuted in results:
        mutant = MUTANTS[number]
        good = tuple(rejected_by) == tuple(sorted(mutant.rejected_by)) and refuted > 0
        where = f"{mutant.section}/{mutant.environment}"
        print(f"{mutant.name:26} {mutant.rule:10} {where:26} {', '.join(rejected_by)}", flush=True)
        if not good:
            print(f"  FAILED {mutant.name}: must be rejected by "
                  f"{', '.join(sorted(mutant.rejected_by))}, with a counterexample")
        passed, failed = passed + good, failed + (not good)
    return passed, failed


def main():
    """Runs everything, or lists the obligations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print the name of every obligation")
    parser.add_argument("--jobs", type=int, default=2, help="solver processes (default 2)")
    options = parser.parse_args()
    if options.list:
        for section, env in tasks():
            for obligation in BY_NAME[section].obligations(Rules(), environment(section, env)):
                print(f"{section}/{env}/{obligation.name}")
        return 0
    began = time.monotonic()
    for mutant in MUTANTS:  # once, for all the processes that are forked from this one
        correct(mutant.section, mutant.environment)
    with multiprocessing.Pool(options.jobs, maxtasksperchild=1) as pool:
        answers = pool.imap(check_section, tasks(), chunksize=1)
        rejections = pool.imap(check_mutant, range(len(MUTANTS)), chunksize=1)
        sections = report_sections(answers)
        mutants = report_mutants(rejections)
    passed, failed = sections[0] + mutants[0], sections[1] + mutants[1]
    print(f"\n{sections[0]} obligations, {mutants[0]} of {len(MUTANTS)} mutants rejected, "
          f"{time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
