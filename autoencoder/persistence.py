"""Fitted estimators in one ``.npz`` file: arrays and a JSON header, never pickle.

A file holds the parameters, the fitted attributes, the history and all that the training needs to
go on to the same bits: the optimizer's state, the random streams and the penalties' memories.
Parameters are written as what they are, parts as their name and parameters. Code cannot be written:
callbacks are left out with a warning, and so is a generator given as `random_state` (the streams
drawn from it are kept); of a solver function the optimizer that it made is written, of a network
function only the name, and whoever reads the file gives the function again; other functions and
objects of other libraries are refused.
"""

import dataclasses
import math
import os
import warnings
from collections.abc import Mapping
from numbers import Real
from pathlib import Path

import numpy as np
import sklearn

from minigrad import checkpoint
from minigrad.backend import to_device, to_numpy
from minigrad.random import Philox

from . import parts, shared, solvers, training
from .diagnosis import Finding
from .networks import Sizes
from .scaling import Scaling

EXPORTS = (".onnx", ".safetensors")  # endings of what `export` writes
FORMAT = 3  # 2: networks had no centre; 1: version 0.1
PARTS = {
    name: cls
    for name, cls in vars(parts).items()
    if hasattr(cls, "get_params") and cls not in (parts.Code, parts.Likelihood)  # the bases
}
SCHEDULES = {cls.__name__: cls for cls in solvers.STEP_SCHEDULES}
FITTED = ("n_features_in_", "n_iter_", "best_epoch_", "n_restarts_", "noise_variance_")  # numbers
FITTED_ARRAYS = ("code_mean_", "code_covariance_")
GROUPS = (  # of arrays
    *("network", "optimizer", "memory", "best", "fitted", "missing", "scaling", "detector"),
)
COUNTS = ("epoch", "best_epoch", "first_step", "restarts")
MOST_COLUMNS = 100  # of a history


def save(estimator, path, more_arrays=None, more_about=None):
    """Write the fitted `estimator` to `path`; ValueError names a parameter that cannot be.

    What is to be in the file besides can be given as two dicts. Of several ranks the first writes.
    """
    if not shared.speaks(estimator._training):
        return
    _warn_of_losses(estimator)
    arrays, about = contents(estimator)
    checkpoint.save(path, arrays | (more_arrays or {}), about | (more_about or {}))


def contents(estimator):
    """What a file holds of the `estimator`: a dict of arrays, and the header as a dict of JSON.

    It may be in the middle of a fit, as callbacks see it.
    """
    state, fitted = estimator._training, vars(estimator)
    plan = None if state.plan is None else dict(vars(state.plan))
    params, solver, options = _params(estimator), state.solver, state.solver_options
    if callable(solver):
        solver, options = solvers.named(state.optimizer)
    if callable(params["solver"]):
        params["solver"], params["solver_options"] = solver, _plain(options, "solver_options")
    groups = {
        "network": state.network.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "memory": {name: to_numpy(array) for name, array in state.memory.items()},
        "best": (plan and plan.pop("best_weights")) or {},
        "fitted": {name: fitted[name] for name in FITTED_ARRAYS if name in fitted},
        "missing": {} if estimator._fill is None else {"fill": estimator._fill},
        "scaling": {} if estimator._scaling is None else vars(estimator._scaling),
    }
    about = {
        "format": FORMAT,
        "estimator": type(estimator).__name__,
        "params": params,
        "sizes": estimator._sizes._asdict(),
        "dtype": estimator._dtype.name,
        "network": _name(estimator._network),
        "parts": [_plain(part, "code") for part in (estimator._code, estimator._likelihood)],
        "fitted": {name: fitted[name] for name in FITTED if name in fitted},
        "feature_names": list(fitted.get("feature_names_in_", [])),
        "classes": fitted["classes_"].tolist() if "classes_" in fitted else [],
        "diagnosis": fitted.get("diagnosis_"),  # None in the middle of a fit
        "output": fitted.get("_sklearn_output_config", {}),  # of set_output
        "history": state.history,
        "training": {
            "solver": solver,
            "solver_options": _plain(options, "solver_options"),
            "streams": {name: g.bit_generator.state for name, g in state.streams.items()},
            "epoch": state.epoch,
            "best_epoch": state.best_epoch,
            "first_step": state.first_step,
            "restarts": state.restarts,
            "plan": plan,
        },
        "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
    }
    arrays = {f"{group}/{name}": a for group, of in groups.items() for name, a in of.items()}
    return arrays, about


def read_contents(path):
    """The arrays and the description in a file that `save` wrote."""
    try:
        return checkpoint.load(path, lazy=True)
    except ValueError:
        if isinstance(path, str | os.PathLike) and Path(path).suffix.lower() in EXPORTS:
            raise ValueError(
                f"load: {path} is not of the kind .npz, but one exported for other programs, of "
                "which no estimator can be made: load what save writes as .npz"
            ) from None
        raise


def load(path, cls, base, device=None, network=None):
    """Read an estimator that `save` wrote: a `cls`, one of the classes below `base`."""
    arrays, about = read_contents(path)
    if "detector" in about:
        raise ValueError(f"load: {path} holds an anomaly detector: use autoencoder.load")
    return restore(path, arrays, about, cls, base, device, network)


def restore(path, arrays, about, cls, base, device=None, network=None):
    """The estimator of which `path` held these `contents`, as `load` gives it."""
    name = about.get("estimator")
    if not isinstance(name, str):
        raise ValueError(f"load: {path} holds weights, but not the estimator that they belong to")
    if about.get("format") != FORMAT:
        raise ValueError(
            f"load: {path} was written by another version (format "
            f"{about.get('format', 1)!r:.20}, this one reads {FORMAT}; format 1 is version 0.1): "
            "load it there, or fit again"
        )
    found = {c.__name__: c for c in [*_below(base), base]}.get(name)
    if found is None or not issubclass(found, cls):
        raise ValueError(
            f"load: {path} holds a {name}, not a {cls.__name__}: use {name}.load, after importing "
            "the module that defines it"
        )
    own = about.get("network")
    if isinstance(own, str) and network is None:
        raise ValueError(
            f"load: the network in {path} was made by the function {own}, and files hold no code: "
            "load(path, network=function)"
        )
    if own is None and network is not None:
        raise ValueError(f"load: the network in {path} was not made by a function: leave it out")
    try:
        return _rebuilt(found, arrays, about, device, network)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError) as error:
        reason = "it is damaged, restore it from a copy"
        if network is not None:
            reason = f"{_name(network)} does not make the network in it, or {reason}"
        raise ValueError(
            f"load: {path} does not describe a whole {name} ({type(error).__name__}: "
            f"{error!s:.200}): {reason}"
        ) from None


def _rebuilt(found, arrays, about, device, network):
    foreign = {name.partition("/")[0] for name in arrays} - {*GROUPS}
    if foreign:
        raise ValueError(f"no estimator has arrays {', '.join(sorted(foreign)):.100}")
    params = {name: _object(value, name) for name, value in about["params"].items()}
    estimator = found(**params | ({} if network is None else {"network": network}))
    if device is not None:
        estimator.device = device
    estimator._code, estimator._likelihood = map(_object, about["parts"])
    parts.assemble(code=estimator._code, likelihood=estimator._likelihood)
    estimator._code.mean(np.zeros((1, estimator._code.width(1))))  # knows its activation
    sizes = Sizes(**{name: _object(value) for name, value in about["sizes"].items()})
    classes = about.get("classes", [])
    if sizes.n_labels != len(classes) or not all(isinstance(c, str | Real) for c in classes):
        raise ValueError(f"{sizes.n_labels!r:.20} columns of labels are not for {classes!r:.100}")
    if classes:
        estimator.classes_ = np.array(classes)
    estimator._network = estimator.network
    n_vectors = getattr(estimator._code, "n_vectors", None)
    if n_vectors is not None and n_vectors != len(arrays["network/layer.vectors"]):
        raise ValueError(f"its weights have no codebook of {n_vectors} vectors")
    if estimator.network is None:
        _check_sizes(sizes, estimator._code, arrays)
    estimator._sizes, estimator._dtype = sizes, np.dtype(about["dtype"])
    own, scale = _Group(arrays, "network"), _group(arrays, "scaling")
    columns = {"fill": _group(arrays, "missing").get("fill"), **scale}
    columns |= {name: own.get(name) for name in ("center", "offset")}
    for name, array in columns.items():
        labels = sizes.n_labels if name == "center" else 0
        if array is not None and array.shape != (sizes.n_features + labels,):
            raise ValueError(f"{name} has the shape {array.shape}")
    estimator._center, estimator._offset = columns["center"], columns["offset"]
    estimator._fill, estimator._scaling = columns["fill"], Scaling(**scale) if scale else None
    estimator._training = _training(arrays, about, estimator)
    estimator.history_ = about["history"]
    fitted, names = about["fitted"], about["feature_names"]
    _check_fitted(fitted, _group(arrays, "fitted"), sizes.n_components)
    if fitted["n_features_in_"] != sizes.n_features:
        raise ValueError(f"it was fitted to {fitted['n_features_in_']!r} features")
    vars(estimator).update(fitted, **_group(arrays, "fitted"))
    if about["diagnosis"] is not None:
        estimator.diagnosis_ = [_finding(*values) for values in about["diagnosis"]]
    output = about.get("output", {})
    if output not in ({}, *({"transform": name} for name in ("default", "pandas", "polars"))):
        raise ValueError(f"there is no output {output!r:.100}")
    estimator.set_output(**output)
    if names:
        if len(names) != sizes.n_features or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{sizes.n_features} features do not have the names {names!r:.100}")
        estimator.feature_names_in_ = np.array(names, dtype=object)
    return estimator


def _finding(name, sentence, is_warning):
    if not (isinstance(name, str) and isinstance(sentence, str) and isinstance(is_warning, bool)):
        raise ValueError(f"{name!r:.100} is no finding of a diagnosis")
    return Finding(name, sentence, is_warning)


def _check_fitted(numbers, arrays, width):
    """Refuse attributes that no estimator has: a file must not replace its methods."""
    unknown = {*numbers} - {*FITTED} | {*arrays} - {*FITTED_ARRAYS}
    wrong = [name for name, value in numbers.items() if not _is_number(value)]
    for name, array in arrays.items():
        whole = array.shape == ((width,) if name == "code_mean_" else (width, width))
        wrong += [] if whole and array.dtype.kind == "f" else [name]
    if unknown or wrong:
        names = ", ".join(sorted({*unknown, *wrong}))
        raise ValueError(f"no fitted estimator has such an attribute {names:.100}")


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_history(history, counts, plan):
    """Refuse a history or counts that a training cannot have had."""
    columns = history.values()
    if len(history) > MOST_COLUMNS or not all(isinstance(column, list) for column in columns):
        raise ValueError("its history is no table")
    if {len(values) for values in columns} != {len(history["epoch"])} or "loss" not in history:
        raise ValueError("the columns of its history differ in length")
    if not all(_is_number(v) for column in columns for v in column):
        raise ValueError("its history holds something else than numbers")
    counted = [*history["epoch"], *counts.values()]
    if plan is not None:
        counted += [plan[name] for name in ("goal", "start", "best_epoch", "waited")]
        if not _is_number(plan["best_loss"]):
            raise ValueError(f"its best loss is {plan['best_loss']!r:.100}")
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**63 for n in counted):
        raise ValueError("its epochs are no whole numbers")


def _check_sizes(sizes, code, arrays):
    """Refuse sizes of other widths than the stored weights have, before a network is built."""
    known = {n for a in _Group(arrays, "network").values() for n in a.shape}
    image, hidden = sizes.image_shape, sizes.hidden
    inputs = image[2] if image is not None and hidden else sizes.n_features + sizes.n_labels
    widths = {inputs, code.width(sizes.n_components), *hidden}
    if not widths <= known or len(hidden) > len(arrays):
        raise ValueError(f"its weights have no layers of {sorted(widths - known)} units")
    if image is not None and math.prod(image) != sizes.n_features:
        raise ValueError(f"images of {image} do not have {sizes.n_features} numbers")


def _training(arrays, about, estimator):
    saved, history = about["training"], about["history"]
    counts = {name: saved[name] for name in COUNTS}
    _check_history(history, counts, saved["plan"])
    states = saved["streams"]
    on_device = states["noise"]["bit_generator"].startswith("Philox")
    streams = training.random_streams(0, on_device and estimator.device == "cuda")
    network = estimator._new_network(streams)
    network.load_state_dict(_Group(arrays, "network"), assign=True)
    for name, state in states.items():  # after the weights have been drawn
        if isinstance(streams[name], Philox) == state["bit_generator"].startswith("Philox"):
            streams[name].bit_generator.state = state  # else it was drawn on the other device
    settings = training.Settings(*(getattr(estimator, name) for name in training.PARAMETERS))
    chosen = {name: _object(saved[name], name) for name in ("solver", "solver_options")}
    optimizer = solvers.new_optimizer(settings._replace(**chosen), network)
    optimizer.load_state_dict(_Group(arrays, "optimizer"))
    memory = {n: to_device(a, estimator.device) for n, a in _group(arrays, "memory").items()}
    plan = saved["plan"]
    if plan is not None:
        plan = training.Plan(**plan, best_weights=_group(arrays, "best") or None)
    return training.Training(
        network,
        streams,
        optimizer=optimizer,
        memory=memory,
        history=history,
        plan=plan,
        **chosen,
        **counts,
    )


class _Group(Mapping):
    """Those of the `arrays` by name that are called ``group/...``, without that."""

    def __init__(self, arrays, group):
        self._arrays, self._names = arrays, {}
        for name in arrays:
            if name.partition("/")[0] == group:
                self._names[name.partition("/")[2]] = name

    def __getitem__(self, name):
        return self._arrays[self._names[name]]

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self._names)


def _group(arrays, group):
    return dict(_Group(arrays, group))


def _below(cls):
    return [c for sub in cls.__subclasses__() for c in [*_below(sub), sub]]


# ---------------------------------------------------------------------- parameters as JSON
def _warn_of_losses(estimator):
    for name in _lost(estimator):
        warnings.warn(
            f"save: {name} is code or a generator and is left out of the file: set it again after "
            "loading if the training is to go on with it",
            UserWarning,
            stacklevel=4,
        )


def _lost(estimator):
    """The parameters that cannot be written, and without which a file is of use all the same."""
    lost = {
        "callbacks": estimator.callbacks is not None,
        "random_state": isinstance(estimator.random_state, np.random.RandomState),
    }
    return [name for name, is_lost in lost.items() if is_lost]


def _name(network):
    """The name of a network function, None for what a file holds whole."""
    if not callable(network):
        return None
    return f"{network.__module__}.{getattr(network, '__qualname__', type(network).__qualname__)}"


def _params(estimator):
    params = estimator.get_params(deep=False) | dict.fromkeys(_lost(estimator))
    if callable(estimator.network):
        params["network"] = None  # its name is in the header
    solver = params.pop("solver")  # a function's optimizer is named by whoever calls this
    return {name: _plain(value, name) for name, value in params.items()} | {"solver": solver}


def _plain(value, name):
    """`value` of the parameter `name` as JSON that `_object` understands."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return _plain(value.item(), name)
    if isinstance(value, Real):
        return float(value)  # a fraction
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(v, name) for v in value]
    if isinstance(value, dict):
        return {key: _plain(v, name) for key, v in value.items()}
    kind = type(value).__name__
    if PARTS.get(kind) is type(value):
        params = value.get_params(deep=False)
        return {"part": kind, "params": {n: _plain(v, n) for n, v in params.items()}}
    if SCHEDULES.get(kind) is type(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"schedule": kind, "params": {n: _plain(v, n) for n, v in fields.items()}}
    raise ValueError(
        f"save: {name}={value!r} cannot be written to a file, which holds numbers and names but no "
        "code: use one of the named choices or an object of this package"
    )


def _object(value, name=None):
    if isinstance(value, list):
        return tuple(_object(v) for v in value)
    if isinstance(value, dict) and name != "solver_options":
        known = PARTS if "part" in value else SCHEDULES
        kind = known[value.get("part") or value["schedule"]]
        return kind(**{name: _object(v) for name, v in value["params"].items()})
    if isinstance(value, dict):
        return {key: _object(v) for key, v in value.items()}
    return value
