"""Every bad input gets one sentence that names the operation, the shapes and what to do."""

# ruff: noqa: E501  (one case a line)

import numpy as np
import pytest
from sentences import one_sentence

import minigrad as mg
from minigrad import losses, nn, optim  # noqa: F401 (the cases name them)

IMAGES = mg.tensor(np.ones((2, 6, 5, 3)), requires_grad=True)
KERNEL = mg.tensor(np.ones((3, 3, 3, 4)), requires_grad=True)
RNG = np.random.default_rng(0)


def leaf(*shape, dtype=float):
    return mg.tensor(np.ones(shape, dtype), requires_grad=True)


def stretched():
    x = mg.broadcast_to(mg.tensor(np.ones(3)), (2, 3))
    x.requires_grad = True
    return x


CASES = {}  # name -> (exception, words that the message must contain, what is done)


def case(name, exception, *words):
    def decorate(action):
        assert name not in CASES
        CASES[name] = exception, words, action
        return action

    return decorate


def lines(text, exception=ValueError):
    """Many cases at once: ``name | expression | word; word``."""
    for line in text.strip().splitlines():
        name, expression, words = (part.strip() for part in line.split(" | "))
        code = compile(expression, name, "eval")
        case(name, exception, *words.split("; "))(lambda code=code: eval(code, globals()))


# ---------------------------------------------------------------------- convolution
lines("""
conv: rank of x | mg.conv2d(leaf(6, 5, 3), KERNEL) | conv2d; (6, 5, 3); (N, height, width, channels); reshape
conv: rank of w | mg.conv2d(IMAGES, leaf(3, 3, 3)) | conv2d; (3, 3, 3); (height, width, in / groups, out); reshape
conv: x is no array | mg.conv2d([1.0], KERNEL) | conv2d; a list; (N, height, width, channels)
conv: channels | mg.conv2d(IMAGES, leaf(3, 3, 2, 4)) | conv2d; (2, 6, 5, 3); 3 channels (axis 3); (3, 3, 2, 4); takes 2
conv: channels and groups | mg.conv2d(IMAGES, leaf(3, 3, 3, 4), groups=2) | conv2d; groups=2; takes 6
conv: outputs and groups | mg.conv2d(IMAGES, leaf(3, 3, 1, 4), groups=3) | conv2d; groups=3; makes 4; a multiple of groups
conv: no groups | mg.conv2d(IMAGES, KERNEL, groups=0) | conv2d; groups must be an integer of at least 1; 0
conv: fractional groups | mg.conv2d(IMAGES, KERNEL, groups=1.5) | conv2d; groups must be an integer of at least 1; 1.5
conv: kernel too large | mg.conv2d(IMAGES, leaf(7, 3, 3, 4), padding="valid") | conv2d; (7, 3); (6, 5); smaller kernel; padding="same"
conv: dilated too far | mg.conv2d(IMAGES, KERNEL, dilation=3, padding=0) | conv2d; dilation (3, 3); (7, 7); (6, 5); smaller kernel or dilation
conv: padded, still too small | mg.conv2d(IMAGES, leaf(9, 9, 3, 4), padding=1) | conv2d; (9, 9); ((1, 1), (1, 1)); more padding
conv: stride 0 | mg.conv2d(IMAGES, KERNEL, stride=0) | conv2d; stride must be an integer of at least 1; got 0
conv: negative stride | mg.conv2d(IMAGES, KERNEL, stride=(1, -2)) | conv2d; stride; (1, -2)
conv: fractional stride | mg.conv2d(IMAGES, KERNEL, stride=1.5) | conv2d; stride; 1.5
conv: three strides | mg.conv2d(IMAGES, KERNEL, stride=(1, 2, 3)) | conv2d; stride; pair; (1, 2, 3)
conv: dilation 0 | mg.conv2d(IMAGES, KERNEL, dilation=0) | conv2d; dilation must be an integer of at least 1; got 0
conv: unknown padding | mg.conv2d(IMAGES, KERNEL, padding="full") | conv2d; padding must be "same", "valid"; 'full'
conv: negative padding | mg.conv2d(IMAGES, KERNEL, padding=-1) | conv2d; padding; at least 0; -1
conv: one pair of pads | mg.conv2d(IMAGES, KERNEL, padding=(1, 2)) | conv2d; ((top, bottom), (left, right)); (1, 2)
conv: bias | mg.conv2d(IMAGES, KERNEL, leaf(3)) | conv2d; a bias; (4,); a (3,)
conv: activation | mg.conv2d(IMAGES, KERNEL, activation="swish") | conv2d; unknown activation 'swish'; "relu"
transpose: rank | mg.conv2d_transpose(leaf(6, 5, 3), KERNEL) | conv2d_transpose; (6, 5, 3); (N, height, width, channels)
transpose: channels | mg.conv2d_transpose(IMAGES, KERNEL) | conv2d_transpose; (2, 6, 5, 3); 3 channels; (3, 3, 3, 4); takes 4; out / groups, in
transpose: bias | mg.conv2d_transpose(IMAGES, leaf(3, 3, 2, 3), leaf(3)) | conv2d_transpose; a bias; (2,); a (3,)
transpose: stride 0 | mg.conv2d_transpose(IMAGES, leaf(3, 3, 2, 3), stride=0) | stride must be an integer of at least 1; got 0
transpose: output size | mg.conv2d_transpose(IMAGES, leaf(3, 3, 2, 3), stride=2, output_size=(20, 10)) | conv2d_transpose; (20, 10); (6, 5); choose an output_size
transpose: too much padding | mg.conv2d_transpose(leaf(1, 1, 1, 3), leaf(1, 1, 2, 3), padding=1) | conv2d_transpose; (1, 1); padding
weight: shapes | mg.conv2d_weight(IMAGES, leaf(2, 6, 6, 4), 3) | conv2d_weight; (2, 6, 5, 3); (2, 6, 6, 4); settings that y was made with
weight: kernel size 0 | mg.conv2d_weight(IMAGES, leaf(2, 6, 5, 4), 0) | kernel_size must be an integer of at least 1; got 0
layer: channels and groups | nn.Conv2D(3, 4, groups=2, rng=RNG) | Conv2D; 3 and 4 channels; groups=2
layer: wrong input | nn.Conv2D(2, 4, rng=RNG)(leaf(2, 6, 5, 3, dtype=np.float32)) | conv2d; (2, 6, 5, 3); takes 2
layer: no images | nn.Conv2D(3, 4, rng=RNG)(leaf(2, 90, dtype=np.float32)) | conv2d; (2, 90); reshape
resize: rank | mg.resize_bicubic(leaf(6, 5), 3) | resize_bicubic; (6, 5); (N, height, width, channels)
resize: size 0 | mg.resize_bicubic(IMAGES, 0) | resize_bicubic; (6, 5); to 0; whole numbers
""")

# ---------------------------------------------------------------------- dense layers and shapes
lines("""
dense: shapes | mg.dense(leaf(2, 3), leaf(4, 5)) | dense; (2, 3); (4, 5); the last axis of x
dense: rank of w | mg.dense(leaf(2, 3), leaf(3)) | dense; (3,); (in, out)
dense: bias | mg.dense(leaf(2, 3), leaf(3, 5), leaf(3)) | dense; a bias; (5,); a (3,)
matmul: shapes | leaf(2, 3) @ leaf(2, 3) | matmul; (2, 3); the last axis of a as long as the second last of b
matmul: batches | leaf(2, 2, 3) @ leaf(3, 3, 1) | matmul; (2, 2, 3); (3, 3, 1)
matmul: a number | leaf(2, 3) @ 2.0 | matmul; 2.0; two arrays
add: shapes | leaf(2, 3) + leaf(2) | add; a = a (2, 3); b = a (2,); broadcast together
where: shapes | mg.where(np.ones((2, 3), bool), leaf(4), 0.0) | where; (2, 3); (4,); broadcast together
reshape: size | leaf(2, 3).reshape(4, 2) | reshape; (2, 3); as many elements
transpose: axes | leaf(2, 3).transpose(0, 0) | transpose; (2, 3); a permutation of the axes
broadcast: shape | mg.broadcast_to(leaf(2, 3), (2, 4)) | broadcast_to; (2, 3)
concatenate: shapes | mg.concatenate([leaf(2, 3), leaf(2, 4)]) | concatenate; (2, 3); (2, 4); every axis but the one given
concatenate: nothing | mg.concatenate([]) | concatenate; a sequence of Tensors or arrays
concatenate: axis | mg.concatenate([leaf(2, 3)], 2) | concatenate; (2, 3); no axis 2; stack()
stack: shapes | mg.stack([leaf(2), leaf(3)]) | stack; arrays of one shape; (2,), (3,)
split: parts | mg.split(leaf(6), 4) | split; (6,); 4 equal parts; a number that divides
pad: axes | mg.pad(leaf(2, 3), ((1, 1),)) | pad; (2, 3); (before, after) for each axis; 1 pairs for 2 axes
max: nothing | leaf(2, 0).max(1) | max; (2, 0); not empty
softmax: nothing | mg.softmax(leaf(2, 0)) | softmax; (2, 0); not empty
mean: nothing | leaf(2, 0).mean() | mean; (2, 0); no elements
lists: ragged | mg.tensor([[1.0], [1.0, 2.0]]) | tensor; same lengths; pad
""")
lines(
    """
sum: axis | leaf(2, 3).sum(2) | sum; (2, 3); an axis of x
mean: axis | leaf(2, 3).mean(2) | mean; (2, 3); no axis 2
softmax: axis | mg.softmax(leaf(2, 3), 2) | softmax; (2, 3)
index: too far | leaf(2, 3)[2] | getitem; (2, 3); within the shape
index: too many | leaf(2, 3)[0, 0, 0] | getitem; (2, 3); within the shape
""",
    IndexError,
)

# ---------------------------------------------------------------------- dtypes and operands
lines(
    """
integers: operation | mg.tensor([1, 2]) * mg.tensor([3, 4]) | multiply; (2,) int64; float32 or float64; astype
integers: function | mg.exp(mg.tensor([1, 2])) | exp; int64; astype
integers: convolution | mg.conv2d(mg.tensor(np.ones((1, 3, 3, 1), int)), KERNEL[:, :, :1]) | conv_y; int64; astype
integers: array | leaf(2) * np.array([1, 2]) | multiply; int64; astype
integers: gradient | mg.tensor([1, 2], requires_grad=True) | requires_grad; int64; 1.0 instead of 1
integers: later | setattr(mg.tensor([1, 2]), "requires_grad", True) | requires_grad; int64; dtype=np.float32
booleans: gradient | mg.tensor([True], requires_grad=True) | requires_grad; bool
booleans: operation | leaf(2) * mg.tensor([True, False]) | multiply; bool; astype
dtypes: mixed | leaf(2) * leaf(2, dtype=np.float32) | multiply; float64; float32; astype
dtypes: mixed with an array | leaf(2, dtype=np.float32) + np.ones(2) | add; float64; float32; in silence
dtypes: convolution | mg.conv2d(IMAGES, np.ones((3, 3, 3, 4), np.float32)) | conv; float64; float32; astype
dtypes: float32 first | leaf(2, dtype=np.float32) * leaf(2) | multiply; float64; float32; astype
dtypes: half | mg.exp(mg.tensor(np.ones(2, np.float16))) | exp; float16; float32 or float64
operand: list | leaf(2) + [1.0, 2.0] | add; a list; a Tensor or an array; tensor(...)
operand: text | leaf(2) * "2" | multiply; a str; tensor(...)
operand: nothing | leaf(2) - None | subtract; NoneType; tensor(...)
data: text | mg.tensor(["a"]) | tensor; numbers
data: complex | mg.tensor([1j]) | tensor; complex128; numbers
argument: unknown | mg.sum(leaf(2), axes=0) | sum; unexpected argument 'axes'; help(sum)
argument: missing | mg.reshape(leaf(2)) | reshape takes x, shape; got 1 arguments
argument: too many | mg.sum(leaf(2), 1, 2, 3) | sum takes x, axis, keepdims; got 4 arguments
rng: dropout | mg.dropout(leaf(2), 0.5, 0) | dropout; numpy.random.Generator; got int; default_rng(seed)
rng: noise | mg.gaussian_noise(leaf(2), 0.5, np.random) | gaussian_noise; numpy.random.Generator; default_rng(seed)
rng: layer | nn.Dense(2, 3, rng=None) | a layer; numpy.random.Generator; default_rng(seed)
item: assignment | leaf(2).__setitem__(0, 1.0) | cannot be assigned; where(mask, new, x)
unsqueeze: a number | mg.unsqueeze(2.0, 0) | unsqueeze; 2.0; expected a Tensor or an array
batch norm: weight | mg.batch_norm(leaf(4, 3), "a") | batch_norm; expected numbers; str
batch norm: bias | mg.batch_norm(leaf(4, 3), leaf(3), [1, 2, 3]) | batch_norm; expected numbers; list
""",
    TypeError,
)
lines("""
rate: dropout | mg.dropout(leaf(2), 1.0, RNG) | dropout; rate; below 1; 1.0
device: unknown | leaf(2).to("tpu") | 'tpu'; use "cpu" or "cuda"
""")

# ---------------------------------------------------------------------- backward
lines("""
backward: no scalar | mg.exp(leaf(2, 3)).backward() | backward; (2, 3); made by exp at; not a scalar; y.backward(g); sum()
backward: constant | mg.tensor([1.0]).backward() | backward; requires a gradient; requires_grad=True; detach()
backward: shape of g | mg.exp(leaf(2)).backward(np.ones(3)) | backward; (3,); (2,); shape and dtype must be the same
backward: dtype of g | mg.exp(leaf(2)).backward(np.ones(2, np.float32)) | backward; float32; float64; the same
backward: g is a number | mg.exp(leaf(2)).backward(1.0) | backward; 1.0; (2,) float64
grad: constant input | mg.grad(leaf(1), mg.tensor([1.0])) | grad; input 0; does not require a gradient; requires_grad=True
grad: array input | mg.grad(leaf(1), [np.ones(1)]) | grad; input 0; a (1,) float64 array
grad: unused input | mg.grad(mg.exp(leaf(1)), [leaf(1)]) | grad; does not depend on input 0; allow_unused=True
grad: count | mg.grad([leaf(1), leaf(1)], leaf(1), [None]) | 2 outputs; got 1
data: other shape | setattr(leaf(2), "data", np.ones(3)) | (2,) float64; (3,) float64; reshape or astype
data: of a result | setattr(mg.exp(leaf(2)), "data", np.ones(2)) | made by exp; leaf; detach()
grad: other shape | setattr(leaf(2), "grad", np.ones(3)) | (3,) float64 gradient; (2,) float64 leaf; same shape
""")


@case("backward: twice", RuntimeError, "multiply", "second time", "retain_graph=True")
def _():
    x = leaf(2)
    y = x * x
    y.backward(np.ones(2))
    y.backward(np.ones(2))


@case("backward: changed array", RuntimeError, "multiply", "b", "(2,)", "changed", "give a copy")
def _():
    x, c = leaf(2), leaf(2)
    y = x * c
    c.data[0] = 3
    y.backward(np.ones(2))


@case("backward: optimizer step in between", RuntimeError, "multiply", "(2,)", "after backward()")
def _():
    x = leaf(2)
    y = x * x
    x.grad = np.ones(2)
    optim.SGD([x], lr=0.1).step()
    y.backward(np.ones(2))


@case("power: truth values", TypeError, "power", "bool", "convert them with astype")
def _():
    leaf(2) ** np.array([True, False])


@case("clip: an array", TypeError, "clip", "low and high must be numbers", "maximum")
def _():
    mg.clip(leaf(2), np.zeros(2), 1.0)


@case("loss: truth values", TypeError, "mse_loss: expected numbers", "bool")
def _():
    losses.mse_loss(np.ones(2, bool), np.ones(2, bool))


@case("loss: text", TypeError, "l2_loss: expected numbers", "<U1")
def _():
    losses.l2_loss(np.array(["a"]), np.ones(1))


@case("primitive: a ufunc", TypeError, "primitive", "tanh", "wrap it")
def _():
    mg.primitive("one array", x=lambda g: g)(np.tanh)


@case("vjp: dtype", TypeError, "VJP of careless", "float32 gradient", "float64 argument")
def _():
    @mg.primitive("one array", x=lambda g: g.astype(np.float32))
    def careless(x):
        return x + 0

    careless(leaf(1)).backward()


# ---------------------------------------------------------------------- losses
lines("""
loss: two numbers | losses.l2_loss(1.0, 2.0) | l2_loss; two arrays of one shape; 1.0; 2.0
loss: number and target | losses.l2_loss(1.0, np.ones(1)) | l2_loss; two arrays of one shape; 1.0
loss: prediction and number | losses.l2_loss(np.ones(2), 1.0) | l2_loss; two arrays of one shape; 1.0
loss: number and two | losses.l2_loss(1.0, np.ones(2)) | l2_loss; two arrays of one shape; 1.0
loss: one above 1 | losses.binary_cross_entropy(np.array([0.5, 1.5]), np.ones(2)) | must lie in [0, 1]; 0.5 to 1.5
loss: one below 0 | losses.binary_cross_entropy(np.array([0.5, -0.5]), np.ones(2)) | must lie in [0, 1]; -0.5 to 0.5
loss: one class below 0 | losses.cross_entropy(leaf(2, 3), np.array([-1, 2])) | class numbers must be from 0 to 2; -1 to 2
loss: one class too high | losses.cross_entropy(leaf(2, 3), np.array([0, 3])) | class numbers must be from 0 to 2; 0 to 3
loss: shapes | losses.l2_loss(leaf(3, 1), np.ones(3)) | l2_loss; (3, 1); (3,); broadcasting is refused
loss: mse shapes | losses.mse_loss(leaf(3), 1.0) | mse_loss; (3,); one shape
loss: l1 shapes | losses.l1_loss(leaf(3, 1), np.ones(3)) | l1_loss; (3, 1); (3,); broadcasting is refused
loss: l1 empty batch | losses.l1_loss(leaf(0, 3), np.ones((0, 3))) | l1_loss; (0, 3); empty batch
loss: huber delta | losses.huber_loss(leaf(3), np.ones(3), delta=-1) | huber_loss; delta must be positive; -1
loss: smooth l1 beta | losses.smooth_l1_loss(leaf(3), np.ones(3), beta=0) | smooth_l1_loss; beta must be positive; 0; l1_loss
loss: reduction | losses.l2_loss(leaf(3), np.ones(3), "average") | l2_loss; "mean", "sum" or "none"; 'average'
loss: empty batch | losses.mse_loss(leaf(0, 3), np.ones((0, 3))) | mse_loss; (0, 3); empty batch; reduction="sum"
loss: probabilities | losses.binary_cross_entropy(leaf(2) * 2, np.ones(2)) | binary_cross_entropy; probabilities; [0, 1]; 2
loss: targets | losses.binary_cross_entropy_with_logits(leaf(2), np.full(2, 255.0)) | targets; [0, 1]; 255; MinMaxScaler
loss: nan targets | losses.binary_cross_entropy_with_logits(leaf(2), np.full(2, np.nan)) | targets; [0, 1]; nan
loss: logits | losses.cross_entropy(leaf(3), np.array([1])) | cross_entropy; (N, K); (3,)
loss: classes | losses.cross_entropy(leaf(2, 3), np.array([1.0, 2.0])) | cross_entropy; 2 integer class numbers; float64
loss: class numbers | losses.cross_entropy(leaf(2, 3), np.array([0, 3])) | cross_entropy; from 0 to 2; 3 classes
loss: kl | losses.kl_divergence(leaf(2, 2), -np.ones((2, 2))) | kl_divergence; q; [0, 1]; -1
loss: gaussian kl | losses.gaussian_kl(leaf(2), leaf(3)) | gaussian_kl; (2,); (3,)
""")

# ---------------------------------------------------------------------- layers and optimizers
lines("""
optimizer: nothing | optim.Adam([]) | Adam; no parameters
optimizer: learning rate | optim.SGD([leaf(2)], lr=0) | SGD; lr must be positive; 0
optimizer: betas | optim.Adam([leaf(2)], betas=(0.9, 1.0)) | Adam; betas; below 1; (0.9, 1.0)
optimizer: nesterov | optim.SGD([leaf(2)], lr=0.1, nesterov=True) | SGD; nesterov; momentum above 0
optimizer: state | optim.Adam([leaf(2)]).load_state_dict({"t": np.array(1)}) | Adam; m.0; same optimizer over the same parameters
optimizer: dampening | optim.SGD([leaf(2)], lr=0.1, momentum=0.9, nesterov=True, dampening=0.1) | SGD; nesterov; no dampening
optimizer: negative counts | optim.SGD([leaf(2)], lr=0.1).load_state_dict({"t": np.array(-1)}) | SGD; t missing, unknown or of another shape or kind
optimizer: counts that are none | optim.SGD([leaf(2)], lr=0.1).load_state_dict({"t": np.array(1.5)}) | SGD; t missing, unknown or of another shape or kind
optimizer: given twice | optim.SGD([KERNEL, leaf(2), KERNEL], lr=0.1) | SGD; (3, 3, 3, 4) float64 leaf was given twice; dict.fromkeys
optimizer: in two groups | optim.SGD([{"params": [KERNEL]}, {"params": KERNEL}], lr=0.1) | SGD; (3, 3, 3, 4) float64 leaf was given twice
optimizer: setting of a group | optim.Adam([{"params": [leaf(2)], "betas": (0, 1)}]) | Adam; betas; below 1; (0, 1)
optimizer: rate of a group | optim.Adam([{"params": [leaf(2)], "lr": -1}]) | Adam; lr must be positive; -1
optimizer: stretched | optim.SGD([stretched()], lr=0.1) | SGD; a (2, 3) float64 leaf cannot be changed in place; broadcast_to
layer: initialiser | nn.Dense(2, 3, weight_init="magic", rng=RNG) | unknown weight_init 'magic'; 'he_normal'
layer: activation | nn.Dense(2, 2, activation="swish", rng=RNG)(np.ones((1, 2), np.float32)) | dense; 'swish'; 'relu'
layer: weights | nn.Dense(2, 3, rng=RNG).load_state_dict({"weight": np.ones((3, 3))}) | load_state_dict; bias is missing; (3, 3); (2, 3)
batches: lengths | mg.data.Batches(np.ones(3), np.ones(4), batch_size=2) | Batches; one length; [3, 4]
batches: size | mg.data.Batches(np.ones(3), batch_size=0) | Batches; positive integer; 0
fans: one axis | mg.init.glorot_uniform((3,), RNG) | kernels of 2 or more axes; (3,)
""")
lines(
    """
optimizer: no group | optim.SGD([{"params": [leaf(2)]}, leaf(2)], lr=0.1) | SGD; a group of parameters is a dict; a (2,) float64 leaf
optimizer: no params | optim.SGD([{"weights": [leaf(2)]}], lr=0.1) | SGD; a group of parameters is a dict; params; ['weights']
optimizer: unknown setting | optim.SGD([{"params": [leaf(2)], "eps": 1}], lr=0.1) | SGD; no setting eps; lr, momentum
""",
    TypeError,
)
lines(
    """
optimizer: constants | optim.Adam([mg.tensor([1.0])]) | Adam; leaf Tensor that requires a gradient; model.parameters()
optimizer: results | optim.Adam([mg.exp(leaf(2))]) | Adam; made by exp; model.parameters()
module: no forward | nn.Module()(1) | Module; write forward(x)
""",
    TypeError,
)


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_a_sentence(name):
    exception, words, action = CASES[name]
    with pytest.raises(exception) as caught:
        action()
    message = one_sentence(caught.value)
    missing = [w for w in words if w.replace('"', "'") not in message.replace('"', "'")]
    assert not missing, f"{missing} not in: {message}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_same_input_without_the_mistake_passes():
    """What the messages advise works."""
    mg.conv2d(IMAGES, KERNEL, padding="same")
    mg.conv2d(IMAGES, leaf(9, 9, 3, 4), padding=4)
    mg.conv2d(leaf(6, 5, 3).reshape(1, 6, 5, 3), KERNEL)
    mg.conv2d_transpose(IMAGES, leaf(3, 3, 2, 3), stride=2, output_size=(12, 10))
    mg.exp(mg.tensor([1, 2]).astype(np.float32))
    mg.exp(leaf(2, 3)).backward(np.ones((2, 3)))
    losses.l2_loss(leaf(0, 3), np.ones((0, 3)), reduction="sum").backward()
