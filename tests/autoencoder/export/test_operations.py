"""Every primitive in ONNX gives in onnxruntime what it gives here, on the cases that its derivative
is tested on, in both dtypes; what is not written is refused by name."""

import numpy as np
import pytest
import specs
from every_primitive import every_primitive
from onnx_runs import run

import minigrad as mg
from autoencoder.export.graph import Graph
from autoencoder.export.record import record
from autoencoder.parts.code import bent
from autoencoder.parts.likelihood import expected_data, impossible, log_normaliser

# what no network needs forward
NOT_WRITTEN = {"scatter", "conv_w", "reorder", "squared_distance", "bernoulli_nll"}
NOT_WRITTEN |= {"bernoulli_slope"}
# indices of several arrays, or of an array beside integers
HARD_INDICES = {"mask of everything", "mask of two axes", "matrix of integers", "two lists"}
HARD_INDICES |= {"arrays apart", "broadcast arrays", "array and int", "array, None, slice"}
# which onnxruntime has in float32 only
SINGLE = {"conv_y", "conv_x", "conv_layer", "conv_transpose_layer", "pool_y", "pool_x"}
SINGLE |= {"normal_cdf"}
TOLERANCE = {"float32": 2e-6, "float64": 1e-12}


def not_empty(name):
    cases = specs.cases(name)
    return [c for c in cases if c.function(*c.inputs).size and all(x.size for x in c.inputs)]


def is_written(name, label):
    chosen = name.startswith("pool_") and label.endswith("chosen")
    return name not in NOT_WRITTEN and label not in HARD_INDICES and not chosen


def exported(cases, dtype):
    """The results of `cases` by onnxruntime: all their inputs are one row, cut up in the graph."""
    inputs = [x.astype(dtype) for case in cases for x in case.inputs]
    flat, ends = np.concatenate([x.ravel() for x in inputs]), np.cumsum([x.size for x in inputs])

    def function(row):
        row = mg.reshape(mg.sum_to(row, (1, flat.size)), (flat.size,))
        pieces = iter(
            mg.reshape(row[end - x.size : end], x.shape)
            for x, end in zip(inputs, ends, strict=True)
        )
        return [case.function(*(next(pieces) for _ in case.inputs)) for case in cases]

    found, graph = record(function, (flat.size, flat.dtype)), Graph({})
    names = graph.write(found, graph.input("X", flat.dtype, flat.size))
    for k, (name, y) in enumerate(zip(names, found.outputs, strict=True)):
        graph.output(f"Y{k}", name, y.dtype, *y.shape)
    return run(graph.model("test", {}), X=flat[None]).values()


@every_primitive
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_every_primitive_gives_the_same_in_onnxruntime(name, dtype):
    cases = [case for case in not_empty(name) if is_written(name, case.label)]
    if not cases:
        assert name in NOT_WRITTEN
        return
    tolerance = TOLERANCE["float32" if name in SINGLE else dtype]
    for case, got in zip(cases, exported(cases, dtype), strict=True):
        print(case.label)
        expected = case.function(*(mg.Tensor(x.astype(dtype)) for x in case.inputs)).data
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        atol = tolerance * abs(expected).max()
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=atol)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "primitive", [bent, log_normaliser, expected_data, impossible], ids=lambda p: p.name
)
def test_the_primitives_of_parts_near_zero_and_far_out(primitive, dtype):
    sizes = np.array([0, 1e-6, 0.3, 0.499, 0.501, 0.9, 1.0000001, 1.001, 9.9, 10.1, 60, 1000])
    x = np.concatenate([sizes, -sizes]).astype(dtype)
    (got,) = exported([specs.Case("", lambda x: primitive(x.data), [x], False, None)], dtype)
    np.testing.assert_allclose(got, primitive(x), rtol=20 * np.finfo(dtype).eps, atol=1e-30)


@every_primitive
def test_what_is_not_written_is_refused_by_name(name):
    for case in not_empty(name):
        if not is_written(name, case.label):
            print(case.label)
            words = "the index" if name == "getitem" else name
            with pytest.raises(ValueError, match=f"(?s)export: .*{words}"):
                exported([case], "float32")
