"""Image compression: real bytes of an autoencoder's codes against PCA's and JPEG."""

import numpy as np
from shared import augmented, table
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from autoencoder import Autoencoder, plots
from autoencoder.codec.rate_distortion import bd_rate, jpeg_curve, rate_distortion

TITLE = "Image compression"
UNITS = 64
STEPS = (4.0, 2.0, 1.0, 0.5, 0.25)  # of the quantiser
QUALITIES = (5, 10, 20, 40, 60, 80)  # of JPEG


def run(job):
    """Rate-distortion curves on photographs of new people, and BD-rates against JPEG's scans."""
    faces = job.faces()
    train, test = faces.split(seed=0)
    rows = augmented(train, np.random.default_rng(0), copies=2 if job.fast else 8, reach=1)
    height, width, _ = faces.shape
    images, learnt = (X.reshape(-1, height, width) for X in (test.X, rows))
    network = Autoencoder(
        UNITS, hidden=(256,), activation="tanh", scale=None, batch_size=64,
        max_epochs=job.epochs(60), schedule="cosine", random_state=0,
    )  # fmt: skip
    axes = PCA(min(256, len(rows) - 1), svd_solver="covariance_eigh")
    models = {
        f"autoencoder, {UNITS} units": make_pipeline(axes, network).fit(rows),
        f"PCA, {UNITS} components": PCA(UNITS, svd_solver="covariance_eigh").fit(rows),
        "PCA, 256 components": PCA(min(256, len(rows) - 1), svd_solver="covariance_eigh").fit(rows),
    }
    curves = {name: rate_distortion(model, learnt, images, STEPS) for name, model in models.items()}
    curves["JPEG, whole files"] = jpeg_curve(images, QUALITIES)
    curves["JPEG, scans only"] = jpeg_curve(images, QUALITIES, headers=False)
    plots.rate_distortion(
        {name: ([p.bpp for p in c], [p.psnr for p in c]) for name, c in curves.items()},
        job.folder / "rate_distortion.png",
        title=f"{len(images)} photographs of new people ({faces.name}), real bytes",
    )  # fmt: skip
    reference = curves["JPEG, scans only"]
    return {
        "data": faces.name, "images": len(images),
        "curves": {name: [p._asdict() for p in curve] for name, curve in curves.items()},
        "bd": {name: _bd(curve, reference) for name, curve in curves.items()},
    }  # fmt: skip


def _bd(curve, reference):
    """The BD-rate in percent, or None where the curves share no PSNR."""
    try:
        return bd_rate(curve, reference)
    except ValueError:
        return None


def text(results):
    """The section of the page."""
    lines = []
    for name, curve in results["curves"].items():
        points = "; ".join(f"{p['bpp']:.3f}: {p['psnr']:.1f}" for p in curve)
        bd = results["bd"][name]
        size = curve[-1]["model_bytes"]
        lines.append([
            name, f"{size / 1e6:.2f} MB" if size else "none", points,
            "no common PSNR" if bd is None else f"{bd:+.0f} %",
        ])  # fmt: skip
    best = max(results["curves"], key=lambda name: _at(results["curves"][name], 0.5))
    return f"""{results["images"]} photographs of new people ({results["data"]}) all in one
file, but for JPEG,
which writes one for each. Rates count every byte of the files; "scans only" leaves out JPEG's
headers
and tables, as those of the other codecs are not in their files either. Behind the rates stands what
the receiver needs beforehand: a model much larger than all files together, so that these codecs pay
only for very many pictures. BD-rate: the bits needed for equal PSNR against JPEG's scans. At
half a bit per pixel or less the highest PSNR is that of {best}.

{table(["codec", "model and tables", "bits per pixel: PSNR (dB)", "BD-rate"], lines)}

![Rate and distortion](rate_distortion.png)"""


def _at(curve, rate):
    """The PSNR of a curve at a rate, between its points; minus infinity below them."""
    points = sorted((p["bpp"], p["psnr"]) for p in curve)
    return np.interp(rate, *zip(*points, strict=True), left=-np.inf)
