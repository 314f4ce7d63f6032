"""What can be written after ``python -m autoencoder``: verbs, options and their help."""

import argparse
import importlib

MODELS = ("olivetti", "dense", "conv", "denoising", "sparse", "contractive", "vae")
NOISES = ("none", "gaussian", "heteroscedastic", "masking", "salt_and_pepper", "patches")
NAMES = ("olivetti", "faces", "digits", "mnist")  # of data
DEVICES = ("cpu", "cuda")
LIKELIHOODS = ("gaussian", "optimal_gaussian", "bernoulli", "continuous_bernoulli")
FORMATS, PARTS = ("onnx", "safetensors", "pytorch"), ("all", "encoder", "decoder", "scores")
DATA = (
    "olivetti, faces (generated), digits, mnist, or a path to .npz, .npy, a folder of images or a "
    "table (.csv, .tsv, .parquet)"
)
IMAGES = "an .npz or .npy file, a folder of images, or a table for a model of tables"
PICTURES = "an .npz or .npy file, a .png sheet, or a new folder for one PNG each; .csv of a table"
FITS = ("crop", "pad", "stretch")  # of `datasets.pictures`, which need not be imported for --help
RUN = "the folder of a run, which train wrote"

TRAIN = """\
Train an autoencoder and write a folder: config.json, history.csv, metrics.json, model.npz,
figures/ and report.html. Ctrl-C ends the training after the epoch, and everything is written;
--resume goes on from there, or from the last checkpoint after a kill or a power cut, and gives what
an uninterrupted training gives, bit for bit.

  olivetti     the reference model: deep, convolutional, for square grey images (the default)
  dense        784-64-784 on MNIST: a linear code, sigmoid outputs, cross-entropy
  conv         convolutions of stride 2, as many channels as --hidden says
  denoising    reads noisy images, is scored on the clean ones
  sparse       sigmoid codes that are rarely on
  contractive  codes that hardly move when the image does
  vae          codes with a distribution; new images can be drawn
"""
DEFAULTS = """\
Unless you say otherwise:
                olivetti   dense   conv    denoising  sparse  contractive  vae
  --data        olivetti   mnist   mnist   mnist      mnist   mnist        mnist
  --epochs      600        as many as make 4,000 steps, and at least 10, for all
  --batch-size  50         32 to 256, larger for more images
  --n-components 256       a quarter of the numbers of an image, at most 64; vae 16, sparse 128
  --hidden      (its own)  none    16 32   256        none    none         256
  --likelihood  gaussian   bernoulli, for all
  --learning-rate 0.001    0.002, which falls to 0 over the last quarter
  --test-fraction 0        a fifth of the people, a tenth of other images
  --restarts    10         0, for all
  --output      runs/olivetti, for the others runs/MODEL-DATA; where that is taken, with a number
"""


class Parser(argparse.ArgumentParser):
    """An argparse parser whose complaints are one sentence."""

    def error(self, message):
        raise UsageError(f"{self.prog}: {message} (--help lists what there is)")


class UsageError(Exception):
    """What was written on the command line cannot be understood."""


class Version(argparse.Action):
    """Prints the version, for which alone minigrad is imported."""

    def __call__(self, parser, *_):
        print(f"autoencoder {importlib.import_module('minigrad').__version__}")
        parser.exit()


def parser():
    """The parser of all verbs; `verb` in its result is the name of the one that was asked for."""
    root = Parser(prog="python -m autoencoder", description="Autoencoders from the command line.")
    root.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    _train(verbs)
    _assess(verbs)
    _convert(verbs)
    _use(verbs)
    return root


def _verb(verbs, name, summary, *positional, run=True, **more):
    """A verb with its positional arguments (pairs of name and help); returns its add_argument."""
    verb = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    for key, value in more.items():
        setattr(verb, key, value)
    if run:
        positional = [("run", RUN), *positional]
        verb.add_argument("--device", choices=DEVICES, default="cpu", help="where it runs")
    for argument, text in positional:
        verb.add_argument(argument, metavar=argument.upper(), help=text)
    return verb.add_argument


def _names_and_files(prefix, **_):
    """What a shell may complete where data are named; argcomplete asks for it."""
    files = importlib.import_module("argcomplete.completers").FilesCompleter()
    return [*NAMES, *files(prefix)]


def _train(verbs):
    add = _verb(
        verbs,
        "train",
        "train an autoencoder and write a run folder",
        run=False,
        description=TRAIN,
        epilog=DEFAULTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    settings = "a .toml file of these options, or a run's config.json; what is written here wins"
    add("--config", metavar="FILE", help=settings)
    add("--model", choices=MODELS, help="which autoencoder; olivetti unless you say otherwise")
    add("--data", metavar="NAME", help=DATA).completer = _names_and_files
    add("--epochs", type=int, help="passes over the data")
    add("--batch-size", type=int, help="images per step")
    add("--n-components", type=int, help="the length of the latent code")
    add("--hidden", type=int, nargs="*", help="widths of the layers between image and code")
    add("--convolutional", action="store_true", default=None, help="--hidden are channels")
    add("--image-size", type=int, help="pixels a side, of which the data have a multiple")
    add("--size", metavar="64x48", help="width and height to bring pictures to as they are read")
    add("--fit", choices=FITS, help="of other proportions: crop (usual), pad with black, stretch")
    add("--label", metavar="COLUMN", help="the column of a table that is a class, not a number")
    add("--learning-rate", type=float, help="of Adam at the beginning")
    add("--likelihood", choices=LIKELIHOODS, help="what the outputs mean, and so the loss")
    add("--noise", choices=NOISES, help="added to the input while training")
    add("--noise-std", type=float, help="its standard deviation, of gaussian noise; usually 0.2")
    add("--beta", type=float, help="weight of the vae's divergence; usually 1")
    add("--penalty-weight", type=float, help="of the sparse or contractive penalty")
    add("--validation-fraction", type=float, help="of the training images; keeps the best epoch")
    add("--patience", type=int, help="epochs without a better loss before the training stops")
    add(
        "--test-fraction",
        type=float,
        help="held out: a tenth of the images, a fifth of people; 0 trains on all",
    )
    add("--seed", type=int, help="of weights, order, noise and split; 0 unless you say otherwise")
    add("--device", choices=DEVICES, help="where to compute")
    add("--restarts", type=int, help="how often to begin again where all codes have become equal")
    add("--output", metavar="DIR", help="the folder to write, a new or an empty one")
    overwrite = "replace the run in that folder, once the new one is finished"
    add("--overwrite", action="store_true", default=None, help=overwrite)
    add("--resume", metavar="RUN", help="go on with a run; --epochs N makes it N in all")
    add(
        "--checkpoint-every",
        type=float,
        metavar="SECONDS",
        help="of training, at the latest; 10 unless you say otherwise, 0 for every epoch",
    )


def _assess(verbs):
    add = _verb(verbs, "evaluate", "measure a model beside its baselines, on images held out")
    other = "other images to measure it on, or the moved original ones"
    add("--data", metavar="NAME", help=other).completer = _names_and_files
    add = _verb(verbs, "plot", "draw the figures of a run again, and its report")
    add("--only", nargs="+", metavar="NAME", help="some figures, such as reconstructions filters")
    add("--data", metavar="NAME", help="other images to draw").completer = _names_and_files
    _explore(verbs)
    add = _verb(verbs, "info", "say what a run or a file is", run=False)
    add("path", metavar="PATH", help="the folder of a run, or a model.npz")
    add = _verb(verbs, "data", "say what images there are, and where they come from", run=False)
    name = add("name", metavar="NAME", nargs="?", default="list", help=f"list, {DATA}")
    name.completer = _names_and_files
    add("--size", metavar="64x48", help="width and height to bring pictures to")
    add("--label", metavar="COLUMN", help="the column of a table that is a class")


def _explore(verbs):
    what = "the folder of a run, or a model.npz with --data"
    summary = "write a page to explore the codes in a browser"
    add = _verb(verbs, "explore", summary, ("run", what), run=False)
    add("-o", "--output", metavar="FILE", help="an .html file; explore.html in the folder if none")
    shown = "the images to show; a run shows its test images"
    add("--data", metavar="NAME", help=shown).completer = _names_and_files
    add("--table", action="store_true", help="--data is a table, (N, D) in an .npz or .npy file")
    add("--budget", type=int, metavar="BYTES", help="for the images; 2000000 if none")
    add("--seed", type=int, default=0, help="of the draw where there are more images than that")
    kinds = ["auto", "float32", "float16"]
    add("--weights", choices=kinds, default="auto", help="auto is float32 up to 4 MB")


def _convert(verbs):
    images, pictures = ("input", IMAGES), ("output", PICTURES)
    _verb(verbs, "reconstruct", "encode and decode images", images, pictures)
    add = _verb(verbs, "denoise", "remove noise from images", images, pictures)
    add("--noise-std", type=float, metavar="STD", help="add gaussian noise first, to clean images")
    add("--seed", type=int, default=0, help="of that noise")
    _verb(
        verbs, "encode", "turn images into codes", images, ("output", "an .npz, .npy or .csv file")
    )
    codes = ("codes", "an .npz or .npy file that encode wrote")
    _verb(verbs, "decode", "turn codes into images", codes, pictures)
    add = _verb(verbs, "sample", "draw new images", pictures)
    add("-n", "--number", type=int, default=64, help="how many; 64 unless you say otherwise")
    add("--prior", choices=["gaussian"], help="fitted to the training codes; not needed for a vae")
    add("--seed", type=int, default=0, help="of the codes")


def _use(verbs):
    images, pictures = ("input", IMAGES), ("output", PICTURES)
    add = _verb(verbs, "detect", "find images unlike those that the model knows", images)
    add("output", metavar="OUTPUT", nargs="?", help="a .csv or .npz file; RUN/scores.csv if none")
    add("--contamination", type=float, default=0.1, help="of the training: 0.1 sets the threshold")
    add("--figure", metavar="PNG", help="draw the scores beside those of the held-out images")
    packed = ("output", "the .mgae file to write")
    add = _verb(verbs, "compress", "write images as few bytes", images, packed)
    add("--step", type=float, help="of the quantiser: larger makes smaller files, and more error")
    _verb(verbs, "decompress", "read what compress wrote", ("input", "its file"), pictures)
    add = _verb(verbs, "export", "write the model for other programs", run=False)
    add("path", metavar="RUN", help=f"{RUN}, or a model.npz")
    add("--to", choices=FORMATS, default="onnx", help="the format; onnx unless you say otherwise")
    add("-o", "--output", metavar="FILE", help="what to write; beside the model unless you say")
    add("--part", choices=PARTS, default="all", help="of the ONNX model; all unless you say")
    add("--dtype", choices=["float32"], help="of the ONNX model; the model's unless you say")
