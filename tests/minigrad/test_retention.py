"""The graph keeps the arrays that the VJPs name, and no others."""

import inspect

import numpy as np
from every_primitive import cotangent, every_primitive, for_every_case, leaf, nodes_below, run

import minigrad as mg


@for_every_case
def test_the_graph_keeps_only_what_the_vjps_name(case):
    for node in nodes_below(case.function(*[leaf(x) for x in case.inputs])):
        if node.primitive is None:
            assert node.saved == ()
            continue
        p = node.primitive
        shared = set(inspect.signature(p.shared).parameters) - {"g"} if p.shared else ()
        named = [(need, None) for need in shared]
        for i, parent in enumerate(node.parents):
            if parent is not None and p.differentiable >> i & 1:
                needs = set(inspect.signature(p.vjps[p.argument(i)]).parameters)
                needs -= {"g", *p.shared_names}
                named += [(need, i if need == "i" else None) for need in needs]
        assert len(node.saved) == len(node.plan.fetch) == len(set(named))
        for (kind, i), value in zip(node.plan.fetch, node.saved, strict=True):
            word = {"value": p.argument(i), "y": "y", "i": "i"}.get(kind, f"{p.argument(i)}_{kind}")
            assert (word, i if kind == "i" else None) in named
            if kind in ("shape", "dtype", "i"):
                assert not isinstance(value, np.ndarray)


@for_every_case
def test_arrays_that_were_not_saved_may_be_destroyed(case):
    expected = run(case.function, case.inputs)[1]
    xs = [leaf(x.copy()) for x in case.inputs]
    y = case.function(*xs)
    kept = [v for n in nodes_below(y) for v in n.saved if isinstance(v, np.ndarray)]
    g = cotangent(y)
    for array in [y._data, *(x._data for x in xs)]:
        if not any(np.shares_memory(array, v) for v in kept) and array.flags.writeable:
            array[...] = np.nan
    y.backward(g)
    for x, d in zip(xs, expected, strict=True):
        assert x.grad.data.tobytes() == d.tobytes()


KEEPS = {  # which arrays an operation on two intermediate results keeps alive
    "add subtract negative where reshape transpose getitem scatter pad sum concatenate cast": "",
    "broadcast_to sum_to sign cumsum reorder pool_y pool_x floor_divide": "",
    "exp sqrt tanh sigmoid relu gate softmax log_softmax": "y",
    "log softplus abs clip sin cos log1p leaky_relu normal_cdf": "x",
    "expm1 hard_sigmoid": "y",
    "elu norm max_pool": "x y",
    "remainder": "a b",
    "multiply maximum minimum matmul": "a b",
    "divide": "b y",
    "power": "a b y",
    "logsumexp max min": "x y",
    "conv_y": "x w",
    "conv_x": "y w",
    "conv_w": "x y",
    "bernoulli_nll": "p t",
    "bernoulli_nll_of_logits": "x t",
    "bernoulli_slope": "s x t",
    "squared_distance": "p t",
    "scaled_difference": "s p t",
    "conv_layer conv_transpose_layer dense_layer": "x w y",
}


@every_primitive
def test_the_memory_ledger(name):
    """What training keeps in memory is a promise: an operation that keeps more must say so here."""
    (promised,) = [set(kept.split()) for names, kept in KEEPS.items() if name in names.split()]
    p = mg.registry[name]
    functions = [*p.vjps.values(), *([p.shared] if p.shared else [])]
    needs = {n for function in functions for n in inspect.signature(function).parameters}
    assert needs & {*p.vjps, "y"} == promised
