"""Splits keep groups whole or take the same number of each, lose nothing and repeat by seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoencoder.datasets import by_group, make_faces, within_group

LABELS = st.lists(st.integers(0, 6), min_size=2, max_size=60).filter(lambda x: len(set(x)) > 1)


def check(labels, train, test):
    """The sides are in order, disjoint, not empty, and together everything."""
    assert len(train)
    assert len(test)
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    assert sorted([*train, *test]) == list(range(len(labels)))


@given(LABELS, st.floats(0.01, 0.99), st.integers(0, 99))
def test_no_group_is_on_both_sides(labels, fraction, seed):
    train, test = by_group(labels, test_fraction=fraction, rng=np.random.default_rng(seed))
    check(labels, train, test)
    labels = np.array(labels)
    assert not set(labels[train]) & set(labels[test])
    count = len(set(labels))
    assert len(set(labels[test])) == min(max(round(fraction * count), 1), count - 1)


@given(LABELS, st.integers(1, 3), st.integers(0, 99))
def test_k_of_every_group_are_held_out_or_refused(labels, k, seed):
    counts = np.bincount(labels)
    if counts[counts > 0].min() <= k:
        with pytest.raises(ValueError, match=f"within_group: {k} of each group cannot"):
            within_group(labels, k, np.random.default_rng(seed))
        return
    train, test = within_group(labels, k, np.random.default_rng(seed))
    check(labels, train, test)
    labels = np.array(labels)
    assert (np.bincount(labels[test])[counts > 0] == k).all()
    assert set(labels[train]) == set(labels)


def test_people_are_split_as_the_faces_are():
    people = make_faces(people=10, variations=6, size=8).labels
    train, test = by_group(people, test_fraction=0.2, rng=np.random.default_rng(3))
    assert (len(train), len(test)) == (48, 12)
    assert not set(people[train]) & set(people[test])
    train, test = within_group(people, 2, np.random.default_rng(3))
    assert (np.bincount(people[test]) == 2).all()
    assert (np.bincount(people[train]) == 4).all()


def test_named_groups_are_held_out():
    train, test = by_group(["ann", "bob", "ann", "eve"], test_groups=["eve", "ann", "eve"])
    assert (train.tolist(), test.tolist()) == ([1], [0, 2, 3])


def test_seeds_decide_and_the_global_state_does_not():
    labels = np.repeat(np.arange(20), 5)
    for split in (
        lambda seed: by_group(labels, test_fraction=0.3, rng=np.random.default_rng(seed)),
        lambda seed: within_group(labels, 2, np.random.default_rng(seed)),
    ):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        first, again, other = (split(seed)[1].tolist() for seed in (1, 1, 2))
        assert first == again != other
        assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_every_group_and_example_can_be_drawn():
    labels = np.repeat(np.arange(4), 3)
    rng = np.random.default_rng(0)
    drawn = [by_group(labels, test_fraction=0.25, rng=rng)[1] for _ in range(60)]
    assert set(np.concatenate(drawn)) == set(range(12))
    drawn = [within_group(labels, 1, rng)[1] for _ in range(60)]
    assert set(np.concatenate(drawn)) == set(range(12))


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: by_group([1, 2]), "give either test_fraction or test_groups"),
        (lambda: by_group([1, 2], test_fraction=0.5, test_groups=[1]), "give either"),
        (lambda: by_group([1, 1], test_fraction=0.5, rng=RNG), "there is only one group"),
        (lambda: by_group([1, 2], test_fraction=1.0, rng=RNG), "between 0 and 1, got 1.0"),
        (lambda: by_group([1, 2], test_fraction=0.5), "rng must be a .*Generator.* got None"),
        (lambda: by_group([1, 2], test_groups=[3, 1]), r"no samples of the groups \[3\]"),
        (lambda: by_group([1, 2], test_groups=[1, 2]), "2 of 2 groups .* one side empty"),
        (lambda: by_group([1, 2], test_groups=[]), "0 of 2 groups .* one side empty"),
        (lambda: by_group([[1, 2]], test_groups=[1]), r"one label for each.*\(1, 2\)"),
        (lambda: within_group([], 1, RNG), r"one label for each.*\(0,\)"),
        (lambda: within_group([1, 1, 2], 1, RNG), "because group 2 has 1 samples"),
        (lambda: within_group([1, 1], 0, RNG), "0 of each group cannot"),
        (lambda: within_group([1, 1], 1, 7), "rng must be .* got 7"),
    ],
)
def test_impossible_splits_are_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
