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
        "            os.fsync(file.raw.fileno())",
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
EQUIVALENT = {}  # (file, beginning of the line, change): why


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
