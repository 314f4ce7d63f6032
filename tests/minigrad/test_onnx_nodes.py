"""The node tests of ONNX, for the operations that minigrad has: inputs and outputs of others.

``pip install onnx`` brings them, no network is needed. `OPERATIONS` says how a node is written here
(images permuted from NCHW), `NOT_OFFERED` which tests do not apply and why; nothing is left out
silently, and the number that applies is held.
"""

import functools
import importlib
import math
import warnings

import numpy as np
import pytest

import minigrad as mg

onnx = pytest.importorskip("onnx", reason="ONNX, whose tests these are, is not installed")


def first(x):
    """An image (N, C, ...) with its channels last; (N, C, L) becomes an image of height 1."""
    return mg.transpose(mg.unsqueeze(x, 2) if x.ndim == 3 else x, (0, 2, 3, 1))


def last(y, like):
    y = mg.transpose(y, (0, 3, 1, 2))
    return mg.squeeze(y, 2) if like.ndim == 3 else y


def pool(function, x, kernel_shape, strides=None, pads=None, auto_pad="NOTSET", **settings):
    kernel, n = [int(k) for k in kernel_shape], x.ndim - 2
    strides, pads = list(strides or [1] * n), list(pads or [0] * 2 * n)
    dilations = settings.get("dilation", [1] * n)
    if auto_pad != "NOTSET":
        for a in range(n):
            extent, size = (kernel[a] - 1) * dilations[a] + 1, x.shape[2 + a]
            total = max((math.ceil(size / strides[a]) - 1) * strides[a] + extent - size, 0)
            before = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
            pads[a], pads[n + a] = before, total - before
    pairs = [(pads[a], pads[n + a]) for a in range(n)]
    if n == 1:
        kernel, strides, pairs = [1, *kernel], [1, *strides], [(0, 0), *pairs]
    y = function(first(x), tuple(kernel), stride=tuple(strides), padding=tuple(pairs), **settings)
    return last(y, x)


def max_pool(x, dilations=None, storage_order=0, **settings):
    extra = {} if dilations is None else {"dilation": tuple(dilations)}
    return pool(mg.max_pool2d, x, **settings, **extra)


def avg_pool(x, count_include_pad=0, **settings):
    return pool(
        functools.partial(mg.avg_pool2d, count_padding=bool(count_include_pad)), x, **settings
    )


def global_pool(function, x):
    return mg.reshape(function(first(x)), (*x.shape[:2], 1, 1))


def batch_norm(x, weight, bias, mean, variance, epsilon=1e-5, training_mode=0):
    given = {} if training_mode else dict(mean=mean, variance=variance)
    return last(mg.batch_norm(first(x), weight, bias, eps=epsilon, **given), x)


def layer_norm(x, weight, bias=None, axis=-1, epsilon=1e-5):
    axes = tuple(range(axis % x.ndim, x.ndim))
    return mg.layer_norm(x, weight, bias, axis=axes, eps=epsilon)


def group_norm(x, weight, bias, num_groups, epsilon=1e-5):
    return last(mg.group_norm(first(x), num_groups, weight, bias, eps=epsilon), x)


def instance_norm(x, weight, bias, epsilon=1e-5):
    return group_norm(x, weight, bias, x.shape[1], epsilon)


def resize(
    x, roi=None, scales=None, sizes=None, mode="nearest", cubic_coeff_a=-0.75, antialias=0,
    coordinate_transformation_mode="half_pixel", axes=(0, 1, 2, 3),
):  # fmt: skip
    factors = dict(zip(axes, [] if scales is None else scales, strict=False))
    wanted = dict(zip(axes, [] if sizes is None else sizes, strict=False))
    size = tuple(int(wanted.get(a, x.shape[a] * factors.get(a, 1))) for a in (2, 3))
    if mode == "nearest":
        y = mg.upsample2d(first(x), (size[0] // x.shape[2], size[1] // x.shape[3]))
    else:
        rule = dict(antialias=bool(antialias))
        rule["half_pixel_centers"] = coordinate_transformation_mode != "asymmetric"
        linear = mode == "linear"
        y = (
            mg.resize_bilinear(first(x), size, **rule)
            if linear
            else mg.resize_bicubic(first(x), size, a=cubic_coeff_a, **rule)
        )
    return last(y, x)


def reduction(function, x, axes=None, keepdims=1):
    axes = None if axes is None or not axes.size else tuple(int(a) for a in axes)
    return function(x, axes, bool(keepdims))


def place(function, x, axis=0, keepdims=1):
    return function(x, axis, bool(keepdims))


def cumsum(x, axis, exclusive=0, reverse=0):
    y = mg.cumsum(x, int(axis), reverse=bool(reverse))
    return y - x if exclusive else y


def split(x, sizes=None, axis=0, num_outputs=None):
    if sizes is None and x.shape[axis] % num_outputs == 0:
        return tuple(mg.split(x, num_outputs, axis))
    step = -(-x.shape[axis] // num_outputs) if sizes is None else None
    ends = range(step, x.shape[axis], step) if sizes is None else np.cumsum(sizes)[:-1].tolist()
    return tuple(mg.split(x, list(ends), axis))


def unsqueeze(x, axes):
    rank = x.ndim + len(axes)
    for axis in sorted(int(a) % rank for a in axes):
        x = mg.unsqueeze(x, axis)
    return x


def flatten(x, axis=1):
    axis %= x.ndim
    y = mg.flatten(x, axis)
    return mg.flatten(y, 0, axis - 1) if axis else mg.unsqueeze(y, 0)


def conv_transpose(x, w):
    y = mg.conv1d_transpose(mg.transpose(x, (0, 2, 1)), mg.transpose(w, (2, 1, 0)), padding="valid")
    return mg.transpose(y, (0, 2, 1))


OPERATIONS = {  # ONNX's name: function of the inputs and, by name, the attributes
    "ArgMax": functools.partial(place, mg.argmax),
    "ArgMin": functools.partial(place, mg.argmin),
    "AveragePool": avg_pool,
    "BatchNormalization": batch_norm,
    "ConvTranspose": conv_transpose,
    "Cos": mg.cos,
    "CumSum": cumsum,
    "Einsum": lambda *xs, equation: mg.einsum(equation, *xs),
    "Elu": mg.elu,
    "Flatten": flatten,
    "Gather": lambda x, indices, axis: mg.embedding(indices, x),
    "Gelu": mg.gelu,
    "GlobalAveragePool": functools.partial(global_pool, mg.global_avg_pool2d),
    "GlobalMaxPool": functools.partial(global_pool, mg.global_max_pool2d),
    "GroupNormalization": group_norm,
    "HardSigmoid": lambda x, alpha=0.2, beta=0.5: mg.hard_sigmoid(x, alpha, beta),
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "LeakyRelu": lambda x, alpha=0.01: mg.leaky_relu(x, alpha),
    "MaxPool": max_pool,
    "Mod": lambda a, b, fmod=0: mg.remainder(a, b),
    "ReduceL2": functools.partial(reduction, mg.norm),
    "ReduceProd": functools.partial(reduction, mg.prod),
    "Resize": resize,
    "Sin": mg.sin,
    "Softplus": mg.softplus,
    "Split": split,
    "Squeeze": lambda x, axes: mg.squeeze(x, tuple(int(a) for a in axes)),
    "Swish": lambda x, alpha: mg.silu(x),
    "Unsqueeze": unsqueeze,
    "Upsample": lambda x, scales, mode: resize(x, scales=scales, mode=mode),
}

NOT_OFFERED = {  # part of a test's name: why it does not apply
    "pool_3d": "pooling of volumes",
    "maxpool_2d_uint8": "pooling of integers",
    "float16": "half precision",
    "_fmod": "C's fmod, whose sign is the dividend's",
    "mod_mixed_sign_float": "C's fmod, whose sign is the dividend's",
    "ceil": "windows that are partly outside (ceil_mode)",
    "averagepool_2d_dilations": "dilated means",
    "with_argmax": "the places of the maxima as a second output",
    "select_last_index": "the last of equal extrema",
    "align_corners": "corners aligned",
    "tf_crop": "cropping while resizing",
    "exclude_outside": "weights outside the image left out without antialiasing",
    "resize_downsample_scales_linear": "another size than factor times size, which says the scale",
    "resize_downsample_scales_cubic": "another size than factor times size, which says the scale",
    "antialias": "ONNX's border; antialiasing is PyTorch's and Pillow's, compared elsewhere",
    "cumsum_2d_int32": "running sums of int32, which NumPy makes int64",
    "cumsum_1d_int32": "running sums of int32, which NumPy makes int64",
    "half_pixel_symmetric": "sizes other than the rounded product of size and factor",
    "pytorch_half_pixel": "PyTorch 1.0's rule for one pixel",
    "sizes_nearest": "nearest pixels by another factor than a whole one",
    "resize_downsample_scales_nearest": "nearest pixels by another factor than a whole one",
}


FILES = """argmax argmin averagepool batch_normalization convtranspose cos cumsum einsum elu
flatten gather gelu globalaveragepool globalmaxpool groupnormalization hardsigmoid
instance_normalization layernormalization leakyrelu maxpool mod reducel2 reduceprod resize sin
softplus split squeeze swish unsqueeze upsample"""


def collected():
    """Name -> (node, inputs, outputs) of every node test of `OPERATIONS`."""
    found, package = {}, "onnx.backend.test.case.node"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = importlib.import_module(package)
        for file in FILES.split():
            importlib.import_module(f"{package}.{file}")  # makes its tests as it is imported
    for case in node._NodeTestCases:
        nodes = case.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type in OPERATIONS:
            found[case.name.removeprefix("test_")] = nodes[0], *case.data_sets[0]
    return found


NODES = collected()


def why_not(name):
    node = NODES[name][0]
    if node.op_type == "ConvTranspose" and name != "convtranspose_1d":
        return "convolution of images, tested elsewhere"
    if node.op_type == "Gather" and name != "gather_0":
        return "rows of another axis than the first, or counted from the end"
    return next((why for part, why in NOT_OFFERED.items() if part in name), None)


APPLICABLE = [name for name in NODES if not why_not(name)]


@pytest.mark.parametrize("name", APPLICABLE)
def test_node(name):
    node, inputs, outputs = NODES[name]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    attributes = {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()}
    if node.op_type == "Split" and len(node.input) == 1:
        attributes.setdefault("num_outputs", len(node.output))
    values = iter(inputs)
    arrays = [next(values) if given else None for given in node.input]
    floats = (np.float32, np.float64)
    arguments = [mg.tensor(x) if i == 0 and x.dtype in floats else x for i, x in enumerate(arrays)]
    found = OPERATIONS[node.op_type](*arguments, **attributes)
    found = found if isinstance(found, tuple) else (found,)
    for mine, theirs in zip(found, outputs, strict=False):  # means beside a norm are not offered
        mine = mine.numpy() if isinstance(mine, mg.Tensor) else np.asarray(mine)
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=2e-6)


def test_what_applies_and_what_does_not():
    """The numbers are those of ONNX 1.23; a later one may have more."""
    assert len(APPLICABLE) >= 173 and len(NODES) >= 266
    assert {NODES[name][0].op_type for name in APPLICABLE} == set(OPERATIONS)
    for part in NOT_OFFERED:
        assert any(part in name for name in NODES), f"no test has {part} in its name"
