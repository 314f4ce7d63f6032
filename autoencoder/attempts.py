"""The training of the reference model: attempts with other weights until one does not collapse.

Where it stands between two epochs is an `Attempt`, which can be written to a checkpoint and read
back; from there it continues to the same bits.
"""

from dataclasses import astuple, dataclass

import numpy as np

from minigrad.random import Philox

from . import olivetti
from .olivetti import DeepAutoencoder, Epoch, adam, collapsed
from .stopping import interruptible

STREAMS = ("weights", "order", "noise", "viewing")


@dataclass
class Attempt:
    """A model in training, with its `Epoch`s and how often the run has begun again."""

    model: DeepAutoencoder
    optimiser: object
    streams: dict
    history: list
    restarts: int = 0


def new_model(config, rng):
    """The model of a `run.Config`, on its device."""
    return DeepAutoencoder(config.image_size, config.code_length, rng=rng).to(config.device)


def first(config):
    """The `Attempt` with which a run begins."""
    rng = np.random.default_rng(config.seed)
    streams = dict(zip(STREAMS, rng.spawn(len(STREAMS)), strict=True))
    if config.device == "cuda":  # the noise is drawn there
        streams["noise"] = Philox(int(streams["noise"].integers(2**63)), "cuda")
    return _with_new_weights(config, streams, 0)


def _with_new_weights(config, streams, restarts):
    model = new_model(config, streams["weights"])
    return Attempt(model, adam(model, config.learning_rate), streams, [], restarts)


def contents(attempt):
    """An `Attempt` as a dict of arrays and a dict of JSON."""
    groups = {"network": attempt.model, "optimiser": attempt.optimiser}
    arrays = {f"{g}/{name}": a for g, of in groups.items() for name, a in of.state_dict().items()}
    about = {
        "kind": "olivetti",
        "streams": {name: g.bit_generator.state for name, g in attempt.streams.items()},
        "history": [astuple(epoch) for epoch in attempt.history],
        "restarts": attempt.restarts,
    }
    return arrays, about


def restored(config, arrays, about):
    """The `Attempt` of which these are the `contents`."""
    groups = {"network": {}, "optimiser": {}}
    for name, array in arrays.items():
        group, _, rest = name.partition("/")
        groups[group][rest] = array
    attempt = first(config)
    attempt.model.load_state_dict(groups["network"])
    attempt.optimiser.load_state_dict(groups["optimiser"])
    for name, generator in attempt.streams.items():  # after the weights have been drawn
        generator.bit_generator.state = about["streams"][name]
    attempt.history = [Epoch(*values) for values in about["history"]]
    attempt.restarts = about["restarts"]
    return attempt


def train(attempt, config, images, checkpoints, *, progress=True, say=print):
    """Bring an `Attempt` to the last epoch of `config`, beginning again where its codes collapse.

    Returns the last `Attempt` and how it ended: "all epochs" or "interrupted" (by Ctrl-C).
    """
    while True:
        patient = attempt.restarts == config.restarts  # the last goes on whatever happens
        ended = _follow(
            attempt, config, images, None if patient else collapsed, checkpoints, progress
        )
        if ended == "interrupted":
            say(
                f"Stopped after {len(attempt.history)} of {config.epochs} epochs; writing what "
                "there is."
            )
        if ended != "collapsed":
            return attempt, ended
        say(
            f"After {len(attempt.history)} epochs every image has the same code and no gradient "
            "reaches the encoder any more; beginning again with other weights (restart "
            f"{attempt.restarts + 1})."
        )
        attempt = _with_new_weights(config, attempt.streams, attempt.restarts + 1)


def _follow(attempt, config, images, hopeless, checkpoints, progress):
    """Train until the last epoch, Ctrl-C or a history that is `hopeless`, with a progress bar."""
    from tqdm import tqdm

    history = attempt.history
    if hopeless is not None and hopeless(history):  # it was stopped just there
        return "collapsed"
    epochs = olivetti.train(
        attempt.model,
        images,
        attempt.optimiser,
        epochs=config.epochs,
        done=len(history),
        batch_size=config.batch_size,
        size=config.image_size,
        noise_std=config.std,
        order_rng=attempt.streams["order"],
        noise_rng=attempt.streams["noise"],
    )
    bar = tqdm(
        initial=len(history),
        total=config.epochs,
        unit="epoch",
        disable=not progress,
        dynamic_ncols=True,
    )
    with bar, interruptible() as interrupted:
        for epoch in epochs:
            history.append(epoch)
            bar.set_postfix_str(f"loss {epoch.loss:.4f}, code mean {epoch.code_mean:.4f}", False)
            bar.update()
            last = bool(interrupted) or epoch.epoch == config.epochs
            checkpoints.offer(lambda: contents(attempt), must=last)
            if hopeless is not None and hopeless(history):
                return "collapsed"
            if interrupted:
                return "all epochs" if epoch.epoch == config.epochs else "interrupted"
    return "all epochs"
