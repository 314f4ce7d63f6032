"""Mutants that are known: those that survived once and are tried by name, and those that cannot be
told from the original, with the reason."""

from pathlib import Path

from mutation_changes import Mutant

ROOT = Path(__file__).parents[2]
NAMED = {  # (file, text, what takes its place)
    "pieces of a product by the number of threads": (
        "minigrad/cpu/linear.py",
        "max(_SHORTEST, -(-length // _PIECES))",
        "-(-length // __import__('minigrad.cpu.pool').cpu.pool.get_num_threads())",
    ),
    "an optimizer's step without the last partial block": (
        "minigrad/cpu/optim.py",
        "flat), pieces(p.size, _BLOCK))",
        "flat), pieces(p.size - p.size % _BLOCK, _BLOCK))",
    ),
    "exceptions in threads of the pool swallowed": (
        "minigrad/cpu/pool.py",
        "            self.error = error\n",
        "            pass\n",
    ),
    "validation that changes the penalties' memory": (
        "autoencoder/training.py",
        "np.random.default_rng(0), copy.deepcopy(training.memory)",
        "np.random.default_rng(0), training.memory",
    ),
    "weights that are not finite at the end of an epoch unnoticed": (
        "autoencoder/training.py",
        "if not all(fetch([array_module(w).isfinite(w).all() for w in weights])):",
        "if not weights:",
    ),
    "recycled memory never given back": (
        "minigrad/memory.py",
        "        clear(now - _LIFETIME)\n",
        "        pass\n",
    ),
    "the conformal rank without the row itself": (
        "autoencoder/detector.py",
        "np.arange(1, held_out + 2) / (held_out + 1)",
        "np.arange(1, held_out + 1) / held_out",
    ),
    "a file that is not flushed before it has its name": (
        "minigrad/checkpoint.py",
        "            os.fsync(raw.fileno())",
        "            pass",
    ),
    "a folder that is not flushed after a renaming": (
        "minigrad/checkpoint.py",
        "    flush_folder(target.parent)\n",
        "    pass\n",
    ),
    "a score at the threshold anomalous for the detector": (
        "autoencoder/detector.py",
        "np.where(self.decision_function(X) < 0, -1, 1)",
        "np.where(self.decision_function(X) <= 0, -1, 1)",
    ),
    "a score at the threshold anomalous for detect": (
        "autoencoder/commands/detect.py",
        "anomalous = scores < threshold",
        "anomalous = scores <= threshold",
    ),
}
EQUIVALENT = {  # why: (file, beginning of the line, change), ...
    "speed only: which of two right algorithms, or how large a block": (
        ("minigrad/conv.py", "step = max(1, _BLOCK", "1 -> 2"),
        ("minigrad/cpu/convolution.py", 'chosen = "winograd"', "2 -> 3"),
        ("minigrad/cpu/convolution.py", 'chosen = "winograd"', "Mult -> Div"),
        ("minigrad/cpu/convolution.py", 'chosen = "winograd"', "Pow -> Mult"),
        ("minigrad/cpu/convolution.py", 'chosen = "winograd"', "arguments exchanged"),
        ("minigrad/cpu/elementwise.py", "_LARGE = 1", "1 -> 2"),
        ("minigrad/cpu/elementwise.py", "for rows in pieces(len(array), max(1, _ALONE", "1 -> 2"),
        (
            "minigrad/cpu/elementwise.py",
            "for rows in pieces(len(array), max(1, _ALONE",
            "FloorDiv -> Mult",
        ),
        ("minigrad/cpu/elementwise.py", "full = [x for x in arrays", "Not dropped"),
        ("minigrad/cpu/elementwise.py", "or shape[len(shape)", "operands of Sub exchanged"),
        ("minigrad/cpu/fused.py", "if b.shape != y.shape", "NotEq -> Eq"),
        ("minigrad/cpu/fused.py", "override(layer", "statement left out"),
        ("minigrad/cpu/linear.py", "if k > 8", "Gt -> GtE"),
        ("minigrad/cpu/linear.py", "blocks = pieces(len(pixels)", "FloorDiv -> Mult"),
        ("minigrad/cpu/patches.py", "step = max(1, _CACHE", "1 -> 2"),
        ("minigrad/cpu/phases.py", "if t == 1 or width", "Gt -> GtE"),
        ("minigrad/cpu/pool.py", "self.helpers, self.inbox", "Sub -> Add"),
        ("minigrad/cpu/pool.py", "_here.inside = True", "statement left out"),
        ("minigrad/cpu/tiles.py", "tiles = max(_CACHE", "36 -> 37"),
        ("minigrad/cpu/tiles.py", "rows, columns = -(-out[0]", "USub dropped (3)"),
        ("minigrad/cpu/tiles.py", "rows, columns = -(-out[0]", "USub dropped (4)"),
        ("minigrad/memory.py", "if size < _SMALL", "Lt -> LtE"),
        ("minigrad/engine.py", "if dtype is not None or (got", "And -> Or"),
        ("minigrad/pool.py", "@functools.lru_cache(256)", "256 -> 257"),
        ("minigrad/cpu/direct.py", "last = min(p, (rows.stop - 1 + top)", "Sub -> Add"),
        ("minigrad/cpu/fused.py", '_register("conv_layer"', "statement left out"),
        ("minigrad/cpu/patches.py", "return sf == y.itemsize", "Or -> And"),
        ("minigrad/cpu/patches.py", "_CACHE = 1 << 17", "17 -> 18"),
        ("minigrad/cpu/patches.py", "_CACHE = 1 << 17", "1 -> 2"),
        ("minigrad/cpu/phases.py", "if t == 1 or width", "Mod -> FloorDiv"),
        ("minigrad/cpu/linear.py", "_PIECES, _SHORTEST = 16, 128", "128 -> 129"),
        ("autoencoder/evaluation/baselines.py", "for x, *_ in blocks(rows, max(", "Mult -> Div"),
        ("autoencoder/rows.py", "size = size or max(1, _NUMBERS", "1 -> 2 (2)"),
    ),
    "which of two equal ones does not matter": (
        ("minigrad/ops.py", "return np.minimum(a, b)", "arguments exchanged"),
        ("minigrad/contraction.py", "most = max(most, letters", "arguments exchanged"),
        ("minigrad/cpu/elementwise.py", "_where(x > 0", "Gt -> GtE"),
        ("minigrad/random.py", "tail = q > _F(0.425)", "Gt -> GtE"),
        (
            "autoencoder/parts/likelihood.py",
            "return (t.shape[1] / 2) * log(maximum",
            "arguments exchanged",
        ),
        ("minigrad/engine.py", "missing = len(args) < self.required", "Lt -> LtE"),
    ),
    "the factor beside it is 0": (
        ("minigrad/losses.py", "return p * (log(where(zero", "1.0 -> 2.0"),
        ("minigrad/reductions.py", "x=lambda g, x, y: x * where(y == 0", "0.0 -> 1.0"),
    ),
    "it is subtracted before and added after": (
        ("minigrad/ops.py", "top = np.where(np.isfinite(top)", "0 -> 1"),
    ),
    "which of equal rows are read, where only whether they can be counts": (
        ("autoencoder/runs/train.py", "model.set_params(max_epochs=0).fit(samples", "0 -> 1 (2)"),
        ("autoencoder/runs/train.py", "model.set_params(max_epochs=0).fit(samples", "2 -> 3"),
        ("autoencoder/codec/codec.py", "k = model.transform(X[:1])", "1 -> 2"),
        ("autoencoder/evaluation/comparison.py", "directions = linear.directions[", "1 -> 2"),
    ),
    "a step above the range, which gives one level however large it is": (
        ("autoencoder/codec/quantiser.py", "reach = (1 + _MARGIN)", "1 -> 2"),
    ),
    "what it lets through is refused two lines later, as no file of ours": (
        ("autoencoder/codec/codec.py", "if short or len(payload) % 4", "Gt -> GtE"),
    ),
    "all of them, drawn and put in order, are all of them": (
        ("autoencoder/evaluation/comparison.py", "if count <= at_most", "LtE -> Lt"),
    ),
    "below the chin, where nothing of the head is seen": (
        ("autoencoder/datasets/faces.py", "chin = np.clip(v + 0.1, 0, 1.2)", "1.2 -> 2.2"),
    ),
    "a single pixel has no direction in which it varies, and is refused for that": (
        ("autoencoder/evaluation/baselines.py", "if rows.size == 0 or test.size", "0 -> 1"),
    ),
    "the first answer that takes too long ends the judging": (
        ("lessons/_check.py", "seen += [seen[-1]] * (len(cases)", "Sub -> Add"),
    ),
    "0 / 0 is no ratio either": (
        (
            "lessons/_relation.py",
            "if a.shape != e.shape or not np.isfinite(a).all() or not np.abs",
            "0 -> 1",
        ),
    ),
    "it takes more memory for a moment, and gives the same": (
        ("autoencoder/runs/checkpoints.py", "arrays, about = checkpoint.load(", "True -> False"),
        ("autoencoder/training.py", "training.optimizer.zero_grad()", "statement left out"),
        ("minigrad/checkpoint.py", "part = file.read(min(_CHUNK", "operands of Sub exchanged"),
    ),
    "a moment that the clock does not hit": (
        ("autoencoder/runs/lock.py", "if attempts >= ATTEMPTS and", "GtE -> Gt (2)"),
    ),
    "both sides were found equal just before": (
        ("autoencoder/olivetti.py", "if shape is None or shape[0] != shape[1]", "0 -> 1 (2)"),
    ),
    "only whether it is above 0 counts": (
        ("lessons/_relation.py", "for step, words in ((1,", "1 -> 2"),
    ),
    "the derivative of any constant is 0": (
        ("minigrad/testing.py", "return tuple(Tensor(np.zeros(x.shape)) for", "zeros -> ones"),
        ("minigrad/testing.py", "Tensor(np.zeros(x.shape)) if g is None", "zeros -> ones"),
    ),
    "NumPy's arrays stay what they are, and a GPU would be needed for others": (
        ("minigrad/weights.py", "return value if is_array(value)", "Or -> And"),
    ),
    "a place beyond the last of four": (
        ("minigrad/cpu/tiles.py", "strips[:, :, :, -1, y.shape[2]", "4 -> 5 (2)"),
    ),
    "overruled by the line below": (
        ("autoencoder/runs/verdict.py", 'word = "Better than PCA" if', "Gt -> GtE"),
    ),
    "never reached: 17 digits tell all numbers apart": (
        ("lessons/_compare.py", "for digits in range(8, 18)", "18 -> 19"),
    ),
    "smaller than any year": (("lessons/_header.py", "placed = {number: (number, 0)", "0 -> 1"),),
    "a number drawn exactly at the limit, once in 2**24": (
        ("autoencoder/datasets/faces.py", "has = rng.random(people) < share", "Lt -> LtE"),
        ("minigrad/functional.py", "keep = rng.random", "GtE -> Gt"),
        ("autoencoder/parts/penalty.py", "signs = array_module(uniform)", "Lt -> LtE"),
    ),
    "a product of four factors, all with the other sign": (
        ("minigrad/cpu/winograd.py", "at[:, i], g[i]", "operands of Sub exchanged"),
    ),
    "a kernel of height 1 has no dilation": (
        ("minigrad/sequences.py", "settings = dict(dilation", "1 -> 2"),
    ),
    "no array has the shape (-2,) or (-3,)": (
        ("minigrad/checks.py", 'if tuple(getattr(a, "shape"', "2 -> 3"),
    ),
    "a difference of which only the size counts, or a sum or a maximum the other way round": (
        (
            "autoencoder/evaluation/baselines.py",
            "centred = np.linalg.qr(",
            "operands of Sub exchanged",
        ),
        ("autoencoder/evaluation/metrics.py", "errors = mse(images", "arguments exchanged"),
        ("autoencoder/datasets/faces.py", "away = np.sqrt(", "operands of Sub exchanged"),
        ("autoencoder/datasets/faces.py", "t = (x - centre_x) / half", "operands of Sub exchanged"),
        (
            "autoencoder/datasets/faces.py",
            "return np.abs(y - middle) - thickness",
            "operands of Sub exchanged (2)",
        ),
        ("autoencoder/datasets/faces.py", "bridge = np.maximum(", "operands of Sub exchanged (2)"),
        ("autoencoder/runs/train.py", "with contextlib.suppress(", "arguments exchanged"),
        ("autoencoder/runs/verdict.py", "if abs(ours - linear)", "operands of Sub exchanged"),
        ("lessons/_numbers.py", "return bool(((value >=", "arguments exchanged"),
        (
            "lessons/_numbers.py",
            "return bool((np.abs(value - expected)",
            "operands of Sub exchanged",
        ),
        ("lessons/_check.py", "worst = max(worst, gap)", "arguments exchanged"),
        ("autoencoder/datasets/faces.py", "cap = np.maximum(", "arguments exchanged"),
        ("lessons/_relation.py", "nice = next(", "operands of Sub exchanged"),
        ("autoencoder/detector.py", "errors = np.square(rows", "operands of Sub exchanged"),
    ),
    "other draws, as good, and the same with every call": (
        ("autoencoder/training.py", "rng, memory = np.random.default_rng(0)", "0 -> 1"),
    ),
    "the same places, counted from the end": (
        (
            "autoencoder/codec/quantiser.py",
            "np.linspace(0, len(codes) - 1",
            "operands of Sub exchanged",
        ),
    ),
    "for WebAssembly, where this cannot be tried": (
        ("minigrad/state.py", "if now.block is block", "Is -> IsNot"),
    ),
    "other points of interpolation give the same products": (
        ("minigrad/cpu/winograd.py", "POINTS = (0, 3 / 4", "4 -> 5"),
    ),
    "it would take 2**31 images": (
        ("autoencoder/datasets/faces.py", "if people * variations >= 2**31", "GtE -> Gt"),
    ),
}

SURVIVORS = {  # the same for those that could be told from the original, but no test does
    "a limit that is one more or less, where nobody counts": (
        ("minigrad/checkpoint.py", "LONGEST_NAME = 240", "240 -> 241"),
        ("autoencoder/datasets/loaders.py", "data = zlib.decompressobj()", "10000 -> 10001"),
        ("autoencoder/captured_epoch.py", "_MOST_TERMS = 12", "12 -> 13"),
        ("autoencoder/runs/lock.py", "WAIT, ATTEMPTS = 0.05, 4", "4 -> 5"),
        ("autoencoder/evaluation/comparison.py", "MOST_SHOTS = 5", "5 -> 6"),
    ),
    "one of several looks at the lock of a run, shortly after another one": (
        ("autoencoder/runs/train.py", "checkpoints.lock.check()", "statement left out"),
    ),
    "no quick test looks; those of whole fits, files and of the GPU were not tried on it": (
        ("autoencoder/parts/code.py", "is_drawn = False", "False -> True"),
        ("autoencoder/persistence.py", "estimator.diagnosis_ = [", "statement left out"),
        ("autoencoder/runs/train.py", 'warnings.simplefilter("ignore", Diag', "statement left out"),
        ("autoencoder/training.py", "if settings.levels_off and warm", "And -> Or"),
        ("minigrad/optim.py", "self, parameters, lr=0.01, alpha=0.99", "0.0 -> 1.0"),
        ("minigrad/optim.py", "decoupled = False", "False -> True"),
        ("minigrad/shapes.py", "stretched = tuple(i + lead", "Add -> Sub (2)"),
        ("minigrad/cpu/blas.py", 'if hasattr(os, "register_at_fork")', "condition reversed"),
        ("minigrad/optimizer.py", "steady = False", "False -> True"),
    ),
    "a first value that each fit sets before it is read": (
        ("autoencoder/training.py", "restarts: int = 0", "0 -> 1"),
        ("autoencoder/training.py", "diverged: bool = False", "False -> True"),
    ),
    "slower: it waits a second before it says who holds a run": (
        ("autoencoder/runs/folders.py", "def lock_of(folder, patience=0.0)", "0.0 -> 1.0"),
    ),
    "slower: PyTorch is asked for its opinion as well": (
        ("lessons/_earlier.py", "right = check.verdict(f, quick=True)", "True -> False"),
    ),
    "words only: lines that are one letter longer": (
        ("lessons/_compare.py", "text = np.array2string(", "100 -> 101"),
    ),
    "a penalty that is no number ends the epoch some batches later, and the fit all the same": (
        ("autoencoder/host_epoch.py", "if not math.isfinite(values[0])", "0 -> 1"),
    ),
    "words only: when they are shown": (
        ("lessons/__main__.py", 'print("\\nwaiting for you', "True -> False"),
    ),
}


def named():
    """The mutants that have names."""
    found = []
    for name, (file, text, other) in NAMED.items():
        source = (ROOT / file).read_text()
        if source.count(text) != 1:
            raise ValueError(f"{name}: {file} has {source.count(text)} times the text {text!r}")
        line = source[: source.index(text)].count("\n") + 1
        lines = range(line, line + text.count("\n") + 1)
        found.append(Mutant(file, line, name, text.strip(), lines, source.replace(text, other)))
    return found
