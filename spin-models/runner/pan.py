# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Building and running SPIN's verifiers."""
from pathlib import Path
import re
import shutil
import subprocess


class ModelError(Exception):
    """A model that SPIN or the compiler refused; the text names the file and line."""


def shell(command, folder, timeout=None):
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, timeout=timeout)


def build(folder, model, spin_options, compiler_options):
    """Makes folder/pan of a model; a string with `-D…` options each for spin and for gcc (with its -O)."""
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = shell(f"spin {spin_options} -a {model}", folder)
    if made.returncode or not (folder / "pan.c").exists() or "Error:" in made.stdout + made.stderr:
        raise ModelError(f"{model}: spin {spin_options}: {(made.stdout + made.stderr).strip()[-600:]}")
    compiled = shell(f"gcc -w {compiler_options} -o pan pan.c", folder)
    if compiled.returncode:
        raise ModelError(f"{model}: gcc {compiler_options}: {compiled.stderr.strip()[-600:]}")
    return folder


def output(folder, options, timeout=None):
    """Runs folder/pan to its end and returns what it printed."""
    ran = shell(f"./pan {options}", folder, timeout)
    return ran.stdout + ran.stderr


def mtypes(folder):
    """number -> name of every message type of the model built in this folder."""
    text = (Path(folder) / "pan.c").read_text()
    return {int(number): name for number, name in re.findall(r'case (\d+): Printf\("(\w+)"\); return;', text)}
