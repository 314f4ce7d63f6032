"""On a GPU: outputs and gradients of the reference model's layers, and Adam, are PyTorch's."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import tensor

pytestmark = pytest.mark.gpu
LAYERS = {  # name: (transposed, size of the input, channels in, channels out, stride, activation)
    "c0": (False, 32, 1, 16, 2, "relu"),
    "c1": (False, 16, 16, 32, 1, "relu"),
    "c3": (False, 16, 64, 128, 1, "relu"),
    "t0": (True, 16, 1, 128, 2, "relu"),
    "t1": (True, 32, 128, 64, 1, "relu"),
    "t2": (True, 32, 64, 32, 1, "tanh"),
    "t3": (True, 32, 32, 1, 1, "sigmoid"),
    "odd": (False, 9, 5, 7, 2, None),
    "odd, transposed": (True, 9, 7, 5, 2, None),
}


@pytest.mark.parametrize("name", LAYERS)
def test_convolutions(name, torch_device):
    import torch
    from torch.nn import functional as F

    transposed, size, c, f, stride, activation = LAYERS[name]
    rng = np.random.default_rng(0)
    n = 2
    x = rng.standard_normal((n, size, size, c), np.float32)
    w = rng.standard_normal((3, 3, *((f, c) if transposed else (c, f))), np.float32) / 9
    b = rng.standard_normal(f, np.float32)
    ours = [tensor(v, True, device="cuda") for v in (x, w, b)]
    layer = mg.conv2d_transpose if transposed else mg.conv2d
    y = layer(*ours, stride=stride, activation=activation)
    g = rng.standard_normal(y.shape, np.float32)
    gradients = mg.grad(y, ours, tensor(g, device="cuda"))

    theirs = [
        torch.tensor(v, device=torch_device, requires_grad=True, dtype=torch.float64)
        for v in (x, w, b)
    ]
    image = theirs[0].permute(0, 3, 1, 2).contiguous()
    kernel = theirs[1].permute(3, 2, 0, 1).contiguous()
    if transposed:
        out = F.conv_transpose2d(image, kernel, theirs[2], stride=stride)
        cut = 0 if stride == 2 else 1  # "same": the extra pixel goes at the end
        out = out[:, :, cut : cut + size * stride, cut : cut + size * stride]
    else:
        total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
        image = F.pad(image, (total // 2, total - total // 2) * 2)
        out = F.conv2d(image, kernel, theirs[2], stride=stride)
    out = out if activation is None else getattr(torch, activation)(out)
    expected = torch.autograd.grad(
        out, theirs, torch.tensor(g, device=torch_device).permute(0, 3, 1, 2).double()
    )
    _close(y, out.permute(0, 2, 3, 1))
    for mine, his in zip(gradients, expected, strict=True):
        _close(mine, his)


@pytest.mark.parametrize("shape", [(50, 2048, 256), (3, 7, 5), (1, 300, 1)])
def test_the_dense_layer(shape, torch_device):
    import torch

    n, c, f = shape
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s, np.float32) for s in ((n, c), (c, f), (f,))]
    arrays[1] /= np.sqrt(c)
    ours = [tensor(v, True, device="cuda") for v in arrays]
    y = mg.dense(*ours, activation="sigmoid")
    g = rng.standard_normal(y.shape, np.float32)
    gradients = mg.grad(y, ours, tensor(g, device="cuda"))
    theirs = [
        torch.tensor(v, device=torch_device, dtype=torch.float64, requires_grad=True)
        for v in arrays
    ]
    out = torch.sigmoid(theirs[0] @ theirs[1] + theirs[2])
    expected = torch.autograd.grad(out, theirs, torch.tensor(g, device=torch_device).double())
    _close(y, out)
    for mine, his in zip(gradients, expected, strict=True):
        _close(mine, his)


def test_ten_steps_of_adam(torch_device):
    import torch

    rng = np.random.default_rng(0)
    w, target = rng.standard_normal((2, 37, 11), np.float32)
    ours = tensor(w, True, device="cuda")
    optimizer = mg.optim.Adam([ours], lr=0.01)
    theirs = torch.tensor(w, device=torch_device, requires_grad=True)
    other = torch.optim.Adam([theirs], lr=0.01)
    for _ in range(10):
        loss = mg.losses.l2_loss(ours, tensor(target, device="cuda"))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        his = ((theirs - torch.tensor(target, device=torch_device)) ** 2).sum() / 2
        other.zero_grad()
        his.backward()
        other.step()
    assert loss.item() == pytest.approx(his.item(), rel=1e-5)
    np.testing.assert_allclose(ours.numpy(), theirs.detach().cpu().numpy(), rtol=1e-5, atol=1e-6)


def _close(mine, his):
    his = his.detach().cpu().numpy()
    np.testing.assert_allclose(mine.numpy(), his, rtol=0, atol=3e-6 * max(1, np.abs(his).max()))
