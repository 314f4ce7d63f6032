"""Proves that every part which has a name can be had from the package and saved."""

import pytest

import autoencoder as ae
from autoencoder.parts import CHOICES
from autoencoder.persistence import PARTS


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in CHOICES.items() for n in names])
def test_a_part_is_public(kind, name):
    part = CHOICES[kind][name]()
    own = type(part).__name__
    assert getattr(ae, own) is type(part) and own in ae.__all__
    assert PARTS[own] is type(part)  # a file of an estimator can name it
    assert type(part).__doc__
