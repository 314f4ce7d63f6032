"""Proves that a run is judged by its baselines, in sentences that say what to do."""

import pytest

from autoencoder.runs.verdict import verdict


def metrics(model=21.3, pca=20.1, mean=15.0, **more):
    rows = {"model": {"PSNR": model}, "PCA 64": {"PSNR": pca}, "mean image": {"PSNR": mean}}
    return {"evaluation": {"reconstruction": rows}, "epochs": 50, "seconds": 61.2, **more}


@pytest.mark.parametrize(
    ("model", "word"),
    [
        (21.0, "Better than PCA"),
        (20.2, "As good as PCA"),
        (20.0, "As good as PCA"),
        (19.0, "Worse than PCA"),
        (15.0, "Worse than the mean image"),
    ],
)
def test_the_first_sentence_names_the_winner(model, word):
    assert verdict(metrics(model))[0].startswith(f"{word}: ")


def test_how_it_ended_and_what_to_do():
    assert verdict(metrics(seconds=600))[1] == "It was trained for 50 epochs in 10 minutes."
    assert verdict(metrics(ended="diverged"))[1].endswith("these are the weights from before.")
    assert verdict(metrics(diagnosis=[]))[2] == "Nothing was found wrong with the fit."
    found = ["the loss fell: train longer", "8 of 9 units are silent: use another"]
    expected = "What to do: the loss fell: train longer (1 more below)."
    assert verdict(metrics(diagnosis=found))[2] == expected


def test_a_run_without_a_comparison_has_no_winner():
    assert len(verdict({"epochs": 1})) == 2
    assert (
        verdict({"epochs": 1})[-1] == "Whether something is wrong with it has not been looked at."
    )


@pytest.mark.parametrize(
    ("seconds", "time"),
    [(0, "0 s"), (119.4, "119 s"), (120, "2 minutes"), (120.5, "2 minutes"), (151, "3 minutes")],
)
def test_times_from_two_minutes_on_are_in_minutes(seconds, time):
    assert verdict(metrics(seconds=seconds))[1] == f"It was trained for 50 epochs in {time}."


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ("all epochs", "in 61 s."),
        ("diverged", "in 61 s, and diverged: these are the weights from before."),
        ("early", "in 61 s, and ended early because the loss no longer fell."),
        ("interrupted", "in 61 s, and was interrupted."),
    ],
)
def test_how_a_training_ended_is_said(ended, words):
    assert verdict(metrics(ended=ended))[1].endswith(words)


@pytest.mark.parametrize(
    ("model", "word"),
    [(20.29, "As good"), (20.31, "Better"), (19.91, "As good"), (19.89, "Worse"), (15.01, "Worse")],
)
def test_a_fifth_of_a_decibel_is_no_difference(model, word):
    assert verdict(metrics(model=model, pca=20.1))[0].startswith(f"{word}")
    few = metrics()
    del few["evaluation"]["reconstruction"]["mean image"]
    assert len(verdict(few)) == 2
    assert verdict(metrics(diagnosis=["a"]))[2] == "What to do: a."
    assert verdict(metrics(diagnosis=["a", "b", "c"]))[2] == "What to do: a (2 more below)."
