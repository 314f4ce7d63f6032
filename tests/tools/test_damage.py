"""Proves that no damaged file of weights or of an estimator crashes, lies or runs code; the same
with 10,000 files: ``python tests/tools/damage.py``."""

import damage


def test_damaged_files_load_right_or_are_refused_in_a_sentence():
    ends, faults = damage.run(300)
    assert not faults
    assert set(ends) == {kind.__name__ for kind in (*damage.DAMAGE, damage.very_many_members)}
    assert all(counts["refused"] for counts in ends.values())


def test_the_trap_would_be_noticed(tmp_path):
    def unpickle(path):
        damage._spring()

    end, _ = damage.attempt(unpickle, tmp_path / "x.npz", None)
    assert end == "executed code"


def test_other_values_would_be_noticed(tmp_path):
    path, load, expected = damage.weights(tmp_path)
    assert damage.attempt(load, path, expected)[0] == "same"
    assert damage.attempt(load, path, {})[0] == "other values"
    assert damage.attempt(lambda p: 1 / 0, path, expected)[0].startswith("ZeroDivisionError")
