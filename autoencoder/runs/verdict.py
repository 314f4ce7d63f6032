"""What came of a run, in three sentences: whether it is better than simpler methods, how it was
trained, and what should be done next."""

_NEAR = 0.2  # dB, within which two methods are alike


def verdict(metrics):
    """The sentences that a report begins with, a list, from the `metrics` of a run.

    >>> rows = {"model": {"PSNR": 21.3}, "PCA 64": {"PSNR": 20.1}, "mean image": {"PSNR": 15.0}}
    >>> metrics = {"evaluation": {"reconstruction": rows}, "epochs": 50, "seconds": 61.2}
    >>> verdict(metrics)[0]
    'Better than PCA: rebuilt images have a PSNR of 21.3 dB, those of PCA 64 20.1 dB, and the mean \
image 15.0 dB.'
    """
    evaluation = metrics.get("evaluation", {})
    rows = evaluation.get("reconstruction", {})
    return [
        *_compared({name: row.get("PSNR") for name, row in rows.items()}),
        *_compared_rows({name: row.get("MSE") for name, row in evaluation.get("rows", {}).items()}),
        _trained(metrics),
        _advice(metrics.get("diagnosis")),
    ]


def _compared(psnr):
    """A sentence on the PSNR of each method, a dict, in a list; empty without the numbers."""
    pca = next((name for name in psnr if name.startswith("PCA")), None)
    ours, linear, mean = (psnr.get(name) for name in ("model", pca, "mean image"))
    if None in (ours, linear, mean):
        return []
    word = "Better than PCA" if ours > linear + _NEAR else "Worse than PCA"
    if abs(ours - linear) <= _NEAR:
        word = "As good as PCA"
    if ours <= mean:
        word = "Worse than the mean image"
    return [
        f"{word}: rebuilt images have a PSNR of {ours:.1f} dB, those of {pca} {linear:.1f} dB, and "
        f"the mean image {mean:.1f} dB."
    ]


def _compared_rows(errors):
    """The same of a table, by the mean squared error in squared standard deviations."""
    ours, mean = errors.get("model"), errors.get("means of the columns")
    if None in (ours, mean):
        return []
    others = [f"{name} {e:.3g}" for name, e in errors.items() if name != "model" and e is not None]
    best = min(e for name, e in errors.items() if name != "model" and e is not None)
    word = "Better than simpler methods" if ours < best else "Not better than simpler methods"
    return [f"{word}: rebuilt rows have a mean squared error of {ours:.3g}, {', '.join(others)}."]


def _trained(metrics):
    seconds, epochs = metrics.get("seconds", 0), metrics.get("epochs", 0)
    time = f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
    ends = {
        "diverged": ", and diverged: these are the weights from before",
        "early": ", and ended early because the loss no longer fell",
        "interrupted": ", and was interrupted",
    }
    return f"It was trained for {epochs} epochs in {time}{ends.get(metrics.get('ended'), '')}."


def _advice(found):
    """What the diagnosis `found`, a list of sentences, or None where nobody looked."""
    if found is None:
        return "Whether something is wrong with it has not been looked at."
    if not found:
        return "Nothing was found wrong with the fit."
    more = f" ({len(found) - 1} more below)" if len(found) > 1 else ""
    return f"What to do: {found[0]}{more}."
