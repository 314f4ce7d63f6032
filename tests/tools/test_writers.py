"""Proves on a few that processes do not write into one run folder; writers.py lets many meet."""

import subprocess
import sys
from pathlib import Path

WRITERS = Path(__file__).parent / "writers.py"


def meet(*options):
    """The exit status and output of writers.py, in a process of its own, because it forks."""
    done = subprocess.run(
        [sys.executable, str(WRITERS), *options], capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


def test_processes_that_meet_lose_and_mix_nothing():
    status, out = meet("--rounds", "4")
    assert status == 0, out
    assert " 0 faults" in out


def test_programs_without_locks_would_be_noticed():
    status, out = meet("--rounds", "8", "--careless")
    assert status == 1, out
    assert "wrote into folder" in out
