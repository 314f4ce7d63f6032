"""Runs minigrad's compiled kernels on small ragged arrays, from a library with sanitizers in it.

Started by tests/minigrad/native/test_library.py, with the sanitizer's own library loaded before:

    LD_PRELOAD=$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 \\
        python tests/tools/sanitized_native.py kernels.so [fault]

With "fault" it ends with a read beyond an array, which the sanitizer must find.
"""

import ctypes
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

if __name__ == "__main__":
    made, load = sys.argv[1], ctypes.CDLL
    ctypes.CDLL = lambda path, *args, **options: load(
        made if "kernels-" in str(path) else path, *args, **options
    )
    import zlib

    zlib.crc32 = lambda text: 0  # it was compiled with -DSOURCE=0
    import minigrad as mg
    from minigrad import optim, registry
    from minigrad.conv import Geometry
    from minigrad.cpu import elementwise
    from minigrad.native import library, one_channel, slopes, winograd

    assert library.library is not None, library.status
    mg.set_num_threads(1)
    rng = np.random.default_rng(0)

    def array(*shape):  # of malloc, whose ends the sanitizer watches
        return rng.standard_normal(shape).astype(np.float32)

    for cache in (1, winograd._CACHE):
        winograd._CACHE = cache
        for size, c, f, pads in (
            ((5, 9), 3, 17, ((0, 2), (1, 0))),
            ((8, 8), 16, 32, ((1, 1), (1, 1))),
            ((3, 3), 9, 1, ((2, 2), (2, 2))),
            ((6, 50), 1, 8, ((0, 0), (0, 0))),
        ):
            geometry = Geometry.of(size, (3, 3), 1, pads)
            x, w, y = array(3, *size, c), array(3, 3, c, f), array(3, *geometry.out, f)
            winograd.conv_y(x, w, geometry, array(f), True)
            winograd.conv_x(y, w, geometry)
            winograd.conv_w(x, y, geometry)
    for c, f in ((1, 9), (37, 1), (1, 64)):
        geometry = Geometry.of((5, 9), (3, 2), 2, ((0, 2), (1, 0)))
        x, w, y = array(3, 5, 9, c), array(3, 2, c, f), array(3, *geometry.out, f)
        one_channel.conv_y(x, w, geometry, array(f), True)
        one_channel.conv_x(y, w, geometry)
    elementwise._LARGE = 0
    for n in (1, 5, 16, 33):
        x, t, s = array(n), array(n), array(n)
        mg.registry["bernoulli_nll_of_logits"](x, t)
        mg.registry["bernoulli_slope"](s, x, t)
        mg.registry["bernoulli_slope"](2.0, x, np.full(n, np.nan, np.float32))
    slopes._LARGE, slopes._BLOCK = 0, 100
    for rows, f in ((70, 1030), (1, 1), (70, 9), (200, 16), (3, 31)):
        slopes.slopes(array(rows, f), array(rows, f), "relu")
        slopes.slopes(array(rows, f), array(rows, f), None)
        y, b = array(rows, f), array(f)
        library.library.add_bias(y.ctypes.data, b.ctypes.data, 1, rows, f)
    for n in (1, 13, 64):
        p = mg.tensor(array(n), requires_grad=True)
        p.grad = mg.tensor(array(n))
        optim.Adam([p]).step()
    registry["dense_layer"](array(200, 30), array(30, 100), array(100), "relu")
    print("all kernels ran")
    if "fault" in sys.argv:
        y, b = array(3, 20), array(20)
        library.library.add_bias(y.ctypes.data, b.ctypes.data, 1, 4, 20)
