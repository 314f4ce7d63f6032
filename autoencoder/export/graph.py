"""An ONNX graph that grows node by node, and the operations of a `Recording` written into it."""

import numpy as np

from .operations import CONVERTERS
from .record import Value

OPSET, IR = 19, 9  # of ONNX 1.14, which onnxruntime reads since 1.15 (May 2023)
_MOST_BYTES = 2**31 - 2**20  # of a file: protobuf's limit, less room for the nodes


def library():
    """The package onnx, which is large, so it is imported when it is needed."""
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            f'export: ONNX files need the package onnx ({error}): pip install "minigrad-'
            'autoencoder[onnx]"'
        ) from None
    return onnx


class Graph:
    """Nodes, constants, inputs and outputs by name; `weights` are arrays that have names."""

    def __init__(self, weights):
        self.onnx = library()
        self._weights = {id(a): name for name, a in weights.items()}
        self._nodes, self._constants, self._by_content, self._names = [], {}, {}, set()
        self._inputs, self._outputs = [], []
        self.channels_first = {}  # images (N, H, W, C) by name -> the same as (N, C, H, W)

    # ------------------------------------------------------------------ growing
    def input(self, name, dtype, *widths):
        """A new input of the graph with the shape ``(N, *widths)``, N being open."""
        self._inputs.append(self._info(name, dtype, ["N", *widths]))
        self._names.add(name)
        return name

    def output(self, name, source, dtype, *shape):
        """Make the result `source` an output called `name`; an "N" in its `shape` is open."""
        self._names.add(name)
        self._nodes.append(self.onnx.helper.make_node("Identity", [source], [name], name=name))
        self._outputs.append(self._info(name, dtype, shape))

    def node(self, op, *inputs, **attributes):
        """A new node; its inputs are names or arrays, which become constants. Returns a name."""
        out = self._new(op.lower())
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        node = self.onnx.helper.make_node(op, names, [out], name=out, **attributes)
        self._nodes.append(node)
        return out

    def in_float32(self, op, dtype, *inputs, **attributes):
        """A node of an `op` that onnxruntime has for float32 only, between casts where need be."""
        if dtype == np.float32:
            return self.node(op, *inputs, **attributes)
        inputs = [self.cast(x, np.float32) for x in inputs]
        return self.cast(self.node(op, *inputs, **attributes), dtype)

    def cast(self, x, dtype):
        """`x`, a name or an array, in another dtype."""
        if not isinstance(x, str):
            return np.asarray(x, dtype)
        return self.node("Cast", x, to=self._type(dtype))

    def zeros(self, x, dtype, out=None, keepdims=0):
        """0 for each row of `x`, of a `dtype`, and NaN where a number in it is not finite."""
        products = self.node("Mul", x, np.array(0, dtype))
        sums = self.node("ReduceSum", products, np.array([1]), keepdims=keepdims)
        return sums if out is None else self.cast(sums, out)

    def constant(self, array, name=None):
        """The name of a constant; equal ones are kept once."""
        array = np.ascontiguousarray(array).reshape(np.shape(array))  # single numbers stay such
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._by_content:
            self._by_content[key] = name = self._new(name or "constant")
            self._constants[name] = array
        return self._by_content[key]

    def of(self, x, dtype, axes=None):
        """The name of an argument of a call, with its `axes` transposed; numbers get the dtype."""
        if isinstance(x, Value):
            name = self.values[x.number]
            return name if axes is None else self.node("Transpose", name, perm=axes)
        array = np.asarray(x, dtype)
        name = self._weights.get(id(x))
        return self.constant(array if axes is None else array.transpose(axes), name)

    def rows(self, times):
        """The number of rows, `times` so many, as an array of one integer."""
        n = self.node("Shape", self._inputs[0].name, start=0, end=1)
        return n if times == 1 else self.node("Mul", n, np.array([times]))

    def write(self, recording, *inputs):
        """Write the calls of a `Recording` of these `inputs`; returns the names of its outputs."""
        self.values = {v.number: name for v, name in zip(recording.inputs, inputs, strict=True)}
        for call in recording.calls:
            convert = CONVERTERS.get(call.primitive)
            if convert is None:
                raise ValueError(
                    f"export: the operation {call.primitive.name} has no counterpart in ONNX files "
                    "here: write it with other operations of minigrad, or save as .npz"
                )
            self.values[call.out.number] = convert(self, call)
        return [self.values[y.number] for y in recording.outputs]

    # ------------------------------------------------------------------ the end
    def model(self, name, about):
        """The ModelProto, without nodes that no output needs; `about` is its dict of texts."""
        needed, nodes = {info.name for info in self._outputs}, []
        for node in reversed(self._nodes):
            if node.output[0] in needed:
                nodes.append(node)
                needed.update(node.input)
        constants = {n: a for n, a in self._constants.items() if n in needed}
        size = sum(a.nbytes for a in constants.values())
        if size > _MOST_BYTES:
            raise ValueError(
                f"export: {size:,} bytes of weights do not fit into an ONNX file, which has at "
                "most 2 GB: save as safetensors"
            )
        helper = self.onnx.helper
        tensors = [self.onnx.numpy_helper.from_array(a, n) for n, a in constants.items()]
        graph = helper.make_graph(nodes[::-1], name, self._inputs, self._outputs, tensors)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], producer_name="autoencoder")
        model.ir_version = IR
        helper.set_model_props(model, about)
        self.onnx.checker.check_model(model, full_check=True)
        return model

    def _new(self, name):
        k, free = 1, name
        while free in self._names:
            k += 1
            free = f"{name}_{k}"
        self._names.add(free)
        return free

    def _info(self, name, dtype, shape):
        return self.onnx.helper.make_tensor_value_info(name, self._type(dtype), shape)

    def _type(self, dtype):
        if np.dtype(dtype).kind == "U":
            return self.onnx.TensorProto.STRING
        return self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
