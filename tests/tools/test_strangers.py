"""Proves on a few that run folders from strangers end well or in a sentence; strangers.py tries
many."""

from strangers import DAMAGE, run


def test_strange_run_folders_end_well_or_in_a_sentence():
    ends, faults = run(3 * len(DAMAGE), seed=1)
    assert not faults, faults
    assert {end for counts in ends.values() for end in counts} == {"well", "refused"}
