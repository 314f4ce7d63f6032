"""Training a run: from its settings and data to a folder with everything that came of it.

The folder holds ``config.json`` (how to repeat it, and which images were held out),
``history.csv``, ``model.npz``, ``metrics.json`` (beside the baselines, on the images held out),
``figures/`` and ``report.html``. The same settings give the same numbers on the same machine.
"""

import contextlib
import logging
import math
import os
import platform
import signal
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from minigrad import checkpoint
from minigrad.cpu.blas import one_blas_thread

from .. import datasets, persistence, training
from ..diagnosis import DiagnosisWarning
from ..evaluation import evaluate
from ..evaluation.tables import evaluate_table
from ..parts import assemble
from ..variants import Autoencoder
from . import dataset, figures
from .checkpoints import NAME, SECONDS, Checkpoints, check_interval, understood
from .config import FORMAT, MODELS, Config
from .files import begin, fingerprint, own, reopen, write_history, write_json
from .folders import check_replaceable, contents, lock_of, new_folder, replace_run
from .records import read_config, read_metrics
from .report import report
from .run import Run, open_run

WATCHED = 500  # held-out images whose loss is measured after every epoch
PROBED = 2000  # images for linear probe and kNN, so that measuring takes seconds


logger = logging.getLogger(__name__)


def start(
    config, output=None, *, overwrite=False, every=SECONDS, progress=True, again=None, say=None
):
    """Train as the `Config` says into a new run folder; returns its path and the metrics (a dict).

    Without `output` the folder has the usual name, or that and a number where it is taken. A folder
    that holds anything is refused; with `overwrite` a run in it is replaced once the new one, which
    has a number until then, is finished. Ctrl-C ends the training after the current epoch;
    everything is still written. `every` is how often there is a checkpoint, see `Checkpoints`. Data
    and settings that do not go together raise ValueError before anything is written.

    `again` are the settings of another run, a dict of its config.json: the images are then those of
    that run, and ValueError is raised where they have changed. `say` is called with each sentence
    on how it goes; without it they go to the logger ``autoencoder.runs.train``.

    Parameters
    ----------
    config : Config
    output : str or path, default=None
    overwrite : bool, default=False
    every : float, default=10.0
        Seconds of training between checkpoints, at most.
    progress : bool, default=True
    again : dict, default=None
    say : callable, default=None

    Returns
    -------
    folder, metrics : pathlib.Path, dict
    """
    check_interval(every)
    how = {} if config.data in datasets.NAMES else config.reading
    if not how and (config.size or config.label):
        raise ValueError(
            f"--size and --label are for your own files, and {config.data} has its own"
        )
    data = dataset.original(again) if again else datasets.load(config.data, say=say, **how)
    say = say or logger.info
    image_shape = data.images.shape[1:]
    if MODELS[config.model].grey:
        image_shape = (*image_shape[:2], 1)
    if config.image_size is not None:
        image_shape = (config.image_size, config.image_size, image_shape[2])
    split = dataset.hold_out(data, config.test_fraction, np.random.default_rng(config.seed))
    samples = dataset.divide(data, split, image_shape, config.image_size is not None)
    config = config.concrete(*samples.rows[0].shape)
    model = config.estimator(image_shape)
    some = samples.rows[0] if samples.is_table else samples.rows[0][:2]
    model.set_params(max_epochs=0).fit(some)  # refuses what cannot be built
    recorded = {
        "format": FORMAT,
        **asdict(replace(config, data=dataset.source(config.data))),
        "data_used": data.name,
        **dataset.checksums(data),
        "image_shape": list(image_shape),
        "columns": None if data.columns is None else list(data.columns),
        "split": split,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    usual = config.default_output(Path(config.data).resolve().stem)
    target, old = Path(output or usual), None
    with contextlib.ExitStack() as locks:
        if overwrite and contents(target):
            old = locks.enter_context(lock_of(target))
            check_replaceable(target)
        beside = Path(os.path.realpath(target)) if old and target.is_symlink() else target
        lock = locks.enter_context(new_folder(beside, numbered=output is None or old is not None))
        if lock.folder != target:
            say(f"{target} is there already: this run is written to {lock.folder}.")
        checkpoints = Checkpoints(lock, recorded, every)
        begin(lock.folder, recorded)
        model = config.estimator(image_shape)
        metrics = _train(config, recorded, model, samples, checkpoints, progress, say)
        if old is not None and metrics["ended"] == "interrupted":
            say(f"It was interrupted, and so {old.folder} stays as it is.")
        elif old is not None:
            replace_run(old, lock)
            say(f"It has taken the place of the run in {target}.")
    return lock.folder, metrics


def resume(folder, *, epochs=None, data=None, every=SECONDS, progress=True, say=None):
    """Go on with the run in `folder` from its last checkpoint, to the end that its settings name.

    `epochs` are another end, and `data` says where the same images are now. What comes of it is
    what an uninterrupted run of so many epochs would have written, to the last bit.

    Parameters
    ----------
    folder : str or path
    epochs : int, default=None
    data : str or path, default=None
    every : float, default=10.0
        Seconds of training between checkpoints, at most.
    progress : bool, default=True
    say : callable, default=None

    Returns
    -------
    dict or None
        The metrics, or None if there is nothing left to do.
    """
    check_interval(every)
    say = say or logger.info
    with lock_of(folder) as lock:
        recorded = read_config(lock.folder / "config.json")
        recorded = recorded if epochs is None else {**recorded, "epochs": epochs}
        if is_finished(lock.folder, recorded):
            return None
        return _resume(lock, recorded, data, every, progress, say)


def is_finished(folder, config):
    """Whether the run in `folder` has nothing left to do to reach the epochs of its `config`.

    Raises ValueError if it has, and cannot.
    """
    try:
        metrics = read_metrics(folder)
    except ValueError:  # it is written again
        metrics = {}
    done, ended = metrics.get("epochs"), metrics.get("ended", "all epochs")
    if done is None:
        done, ended = 0, None
    asked = config["epochs"] != read_config(folder / "config.json")["epochs"]
    whole = ended == "all epochs" and done == config["epochs"]
    if not asked and (whole or ended in ("early", "diverged")):
        return True
    if ended in ("early", "diverged"):
        why = "its patience ran out" if ended == "early" else "it diverged"
        raise ValueError(
            f"{folder} ended early, after {done} epochs: {why}, and with more epochs it would do "
            "the same"
        )
    if not (folder / NAME).is_file() and (folder / "model.npz").is_file():
        raise ValueError(f"{folder} has no {NAME} to go on from: train it again")
    return False


def _resume(lock, recorded, data, every, progress, say):
    with understood(lock.folder):
        config = Config.recorded(recorded)
        split, image_shape = recorded["split"], tuple(recorded["image_shape"])
    original = dataset.original(recorded, data)
    samples = dataset.divide(original, split, image_shape, config.image_size is not None)
    checkpoints = Checkpoints(lock, recorded, every)

    def restored(arrays, about):
        kind = MODELS[config.model].estimator
        model = persistence.restore(
            checkpoints.path, arrays, about, kind, Autoencoder, config.device
        )
        model._training.plan.goal = config.epochs
        return model.set_params(max_epochs=config.epochs)

    model = checkpoints.restore(restored)
    checkpoints.go_on(recorded, model.n_iter_ if model else 0, say)
    model = model or config.estimator(image_shape)
    return _train(config, recorded, model, samples, checkpoints, progress, say)


def _train(config, recorded, model, samples, checkpoints, progress, say):
    X, X_test = samples.rows
    held_out, watched = "all of them, none are held out", None
    if samples.test is not samples.train:
        watched = X_test[:WATCHED]
        held_out = f"{len(samples.test)} held out ({samples.how})"
    numbers, rows = ("columns", "rows") if samples.is_table else ("pixels", "images")
    say(
        f"{X.shape[1]} {numbers}, a latent code of {config.n_components} numbers; {len(X)} {rows} "
        f"to train on, {held_out}."
    )
    with interruptible() as interrupted:

        def after_epoch(model, record):
            if watched is not None:
                note_held_out_loss(model, watched)
            last = bool(interrupted) or model._training.is_over(config.patience)
            checkpoints.offer(lambda: persistence.contents(model), at_once=last)
            return bool(interrupted)

        model.set_params(callbacks=after_epoch, verbose=int(progress), warm_start=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosisWarning)  # it is in the metrics
            model.fit(X)
    model.set_params(callbacks=None, verbose=0, warm_start=False)
    ended = "all epochs" if model.n_iter_ == config.epochs else "early"
    if model._training.diverged:
        ended = "diverged"
    elif ended == "early" and interrupted:
        ended = "interrupted"
        say(f"Stopped after {model.n_iter_} of {config.epochs} epochs; writing what there is.")
    with checkpoints.explained():
        return _write(config, recorded, model, samples, ended, checkpoints, progress, say)


def note_held_out_loss(model, X):
    """Add to the last epoch of the history the objective on other rows `X` (N, D).

    It decides nothing: the images that a run is judged by do not choose among its weights.
    """
    parts = assemble(model.noise, model.code, model.likelihood, model.penalty)
    X = model._in_own_units(model._checked(X)).astype(model._dtype, copy=False)
    loss = training.evaluate(model._training, parts, X, model._settings(len(X)))
    history = model.history_
    history.setdefault("held_out_loss", [math.nan] * len(history["epoch"]))[-1] = float(loss)


def _write(config, recorded, model, samples, ended, checkpoints, progress, say):
    """Write what came of a training into its folder, metrics.json last; returns the metrics."""
    output, seconds, history = checkpoints.folder, checkpoints.seconds, model.history_
    checkpoints.lock.check()
    reopen(output)
    arrays, about = persistence.contents(model)
    tie = {"settings": fingerprint(recorded)}  # the settings that this model belongs to
    about, check = {**about, "run": tie}, checkpoints.lock.check
    checkpoint.save(own(output / "model.npz"), arrays, about, check=check)
    write_history(output / "history.csv", history)

    say("Measuring the model and its baselines, and drawing the figures.")
    finished = open_run(output)
    last = {f"final_{name}": history[name][-1] for name in ("loss", "l2_loss") if history.get(name)}
    if finished.published and "final_l2_loss" in last:
        loss, count = last["final_l2_loss"], len(samples.train)
        last["final_loss_as_published"], _ = finished.published(loss, count, config.batch_size)
    metrics = {
        "data": finished.data_name,
        "epochs": model.n_iter_,
        "ended": ended,
        "best_epoch": model.best_epoch_,
        "restarts": model.n_restarts_,
        "seconds": round(seconds, 1),
        **last,
        "diagnosis": [found.sentence for found in model.diagnosis_ if found.is_warning],
        "parameters": sum(p.size for p in model.network_.parameters()),
        "evaluation": assess(finished, samples, progress),
    }
    checkpoints.lock.check()
    figures.draw(finished, samples, progress=progress)
    report(output, finished.title, metrics)
    checkpoints.lock.check()
    write_json(output / "metrics.json", metrics)
    return metrics


def assess(finished: Run, samples, progress=False):
    """The numbers of `evaluate` for a run and its `Samples`, labels where they are of use."""
    if samples.is_table:
        return evaluate_table(finished.estimator, *samples.rows)
    labels = samples.labels
    if labels is not None:
        known = np.isin(labels[1], labels[0]).all()
        counts = np.unique(labels[1], return_counts=True)[1]
        enough = known or (len(counts) > 1 and counts.min() > 1)
        if len(np.unique(labels[0])) < 2 or not enough:
            labels = None
    shape = finished.image_shape if min(finished.image_shape[:2]) >= 3 else None  # SSIM's least
    return one_blas_thread(  # the matrices are small, and others may need the cores
        evaluate,
        finished.estimator,
        *samples.rows,
        image_shape=shape,
        labels=labels,
        max_probe=PROBED,
        progress=progress,
    )


@contextlib.contextmanager
def interruptible():
    """Yields a list that is empty until Ctrl-C; a second Ctrl-C interrupts as usual."""
    seen = []

    def first(signum, frame):
        seen.append(signum)
        signal.signal(signal.SIGINT, before)

    try:
        before = signal.signal(signal.SIGINT, first)
    except ValueError:  # not in the main thread: Ctrl-C is somebody else's business
        yield seen
        return
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
