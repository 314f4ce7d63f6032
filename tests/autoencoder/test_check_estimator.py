"""Proves that every estimator passes all of scikit-learn's own checks: none failed, none skipped.

One cannot hold where noise or codes are drawn for each row, as scikit-learn lists it for its own
estimators that draw: a row that is there twice has two draws, one of weight 2 has one.

The checks run in a process of their own, because some of them ask for SCIPY_ARRAY_API=1, which
SciPy reads once, when it is imported. Without pandas some would be skipped, and so fail here.
"""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from sklearn.utils import estimator_checks as checks

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

import autoencoder as ae

FURTHER = (  # those that scikit-learn runs on its own transformers, but not in check_estimator
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_get_feature_names_out_error",
    "check_dataframe_column_names_consistency",
    "check_inplace_ensure_writeable",
)


WEIGHTS = [f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")]


def draws(estimator):
    """Whether something is drawn for each row in training."""
    params = getattr(estimator, "autoencoder", estimator).get_params()
    gaussian = params.get("code") == "gaussian" or isinstance(params.get("code"), ae.GaussianCode)
    return params.get("noise") is not None or gaussian or params.get("penalty") == "mmd"


def candidates():
    """Every class, and combinations of parts; no image_shape, because the checks' data have between
    1 and 20 columns and no one shape fits them all: `test_estimators.py` has the convolutions.
    No conditional one either, which transforms no rows without labels: `test_conditional.py`."""
    # one batch; Adam makes whole steps of gradients that are 0 but for rounding, as those of the
    # biases of a linear network of centred data are
    small = dict(n_components=2, max_epochs=2, batch_size=1000, solver="sgd")
    plain = ae.Autoencoder(**small)
    optimal = ae.GaussianLikelihood("optimal")
    return [
        plain,
        ae.DenoisingAutoencoder(**small),
        ae.SparseAutoencoder(**small),
        ae.ContractiveAutoencoder(**small),
        ae.VariationalAutoencoder(**small),
        ae.VariationalAutoencoder(hidden=(4,), likelihood=optimal, **small),
        # what is drawn for every row: one of weight 2 is not quite two rows
        ae.ContractiveAutoencoder(
            penalty=ae.ContractivePenalty(method="hutchinson", weight=1e-9), **small
        ),
        ae.ContractiveAutoencoder(hidden=(5,), activation="tanh", **small),
        ae.DenoisingAutoencoder(noise="masking", penalty=("l1", "weight_decay"), **small),
        ae.DenoisingAutoencoder(noise="heteroscedastic", validation_fraction=0.2, **small),
        ae.SparseAutoencoder(noise="salt_and_pepper", patience=1, **small),
        ae.Autoencoder(code="linear", tied=True, hidden=(6,), **small),
        ae.Autoencoder(hidden=(5, 3), dropout=0.3, schedule="cosine", learning_rate=1e-12, **small),
        ae.Autoencoder(missing="mask", **small),
        ae.Autoencoder(code="vector_quantised", penalty="mmd", **small),
        ae.VariationalAutoencoder(code=ae.GaussianCode(n_draws=3), **small),
        ae.VariationalAutoencoder(
            code=ae.GaussianCode(free_bits=0.1), penalty="total_correlation", **small
        ),
        ae.AutoencoderAnomalyDetector(plain),
        ae.AutoencoderAnomalyDetector(ae.VariationalAutoencoder(**small), criterion="code"),
        ae.AutoencoderAnomalyDetector(plain, criterion="reconstruction"),
    ]


def run_all():
    """One [estimator, check, status, what went wrong] for each."""
    warnings.simplefilter("ignore")
    outcomes = []
    for estimator in candidates():
        expected = dict.fromkeys(WEIGHTS, "draws for each row") if draws(estimator) else {}
        results = checks.check_estimator(
            estimator, on_fail=None, on_skip=None, expected_failed_checks=expected
        )
        outcomes += [
            [repr(estimator), r["check_name"], r["status"], repr(r["exception"])] for r in results
        ]
        if not hasattr(estimator, "transform"):
            continue
        for name in FURTHER:
            getattr(checks, name)(type(estimator).__name__, estimator)
            outcomes.append([repr(estimator), name, "passed", ""])
    return outcomes


@pytest.fixture(scope="module")
def outcomes():
    done = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        cwd=Path(ae.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_no_check_failed_or_was_skipped(outcomes):
    others = [outcome for outcome in outcomes if outcome[2] != "passed"]
    assert [outcome for outcome in others if outcome[2] != "xfail"] == []
    expected = [
        [repr(estimator), weights]
        for estimator in candidates()
        if draws(estimator)
        for weights in WEIGHTS[: 1 + hasattr(estimator, "transform")]  # a detector: dense only
    ]
    assert sorted(o[:2] for o in others) == sorted(expected)


def test_the_checks_were_made(outcomes):
    made = {}
    for estimator, name, *_ in outcomes:
        made.setdefault(estimator, set()).add(name)
    assert len(made) == len(candidates())
    for names in made.values():
        assert len(names) > 30
        assert {"check_array_api_input", "check_methods_subset_invariance"} & names
    assert all(set(FURTHER) <= names for name, names in made.items() if "Detector" not in name)


def test_a_transform_that_draws_would_not_pass():
    """The checks can fail: a code that is drawn at inference is found out."""

    class Drawing(ae.VariationalAutoencoder):
        def transform(self, X):
            means, log_variances = self.posterior(X)
            return means + log_variances * next(numbers)

    numbers = iter(range(1000))
    with pytest.raises(AssertionError):
        checks.check_methods_subset_invariance(
            "Drawing", Drawing(n_components=1, max_epochs=1, random_state=0)
        )


if __name__ == "__main__":
    print(json.dumps(run_all()))
