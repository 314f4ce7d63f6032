"""The command line: ``python -m autoencoder train``."""

import argparse
import sys

from .run import Config, run


def main(arguments=None):
    """Run a command; returns the exit status: 0, or 2 after one sentence on what was wrong."""
    options = _parser().parse_args(arguments)
    settings = vars(options).copy()
    command, output = settings.pop("command"), settings.pop("output")
    try:
        metrics = run(Config(**settings), output)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"python -m autoencoder {command}: {error}", file=sys.stderr)
        return 2
    print(
        f"Loss per image {metrics['loss_all_images']:.4f}, PSNR {metrics['psnr_db']:.1f} dB, "
        f"{metrics['epochs']} epochs in {metrics['seconds']:.0f} s. Everything is in {output}/"
    )
    return 0


def _parser():
    usual = Config()
    parser = argparse.ArgumentParser(prog="python -m autoencoder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser(
        "train",
        help="train the deep convolutional autoencoder",
        description="Train the deep convolutional autoencoder, or with --noise gaussian its "
        "denoising version, and write a folder with the model, the curve and the pictures.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = train.add_argument
    add(
        "--data",
        default=usual.data,
        metavar="NAME",
        help="olivetti, faces (generated), digits, or a path to .npz, .npy or a folder of images",
    )
    add("--epochs", type=int, default=usual.epochs, help="passes over the data")
    add("--batch-size", type=int, default=usual.batch_size, help="images per step")
    add("--code-length", type=int, default=usual.code_length, help="numbers that describe an image")
    add("--image-size", type=int, default=usual.image_size, help="pixels a side; faces have 64")
    add("--learning-rate", type=float, default=usual.learning_rate, help="of Adam")
    add("--noise", choices=["none", "gaussian"], default=usual.noise, help="added to the input")
    add("--noise-std", type=float, default=usual.noise_std, help="its standard deviation")
    add("--seed", type=int, default=usual.seed, help="of weights, order and noise")
    add("--device", choices=["cpu", "cuda"], default=usual.device, help="where to compute")
    add(
        "--restarts",
        type=int,
        default=usual.restarts,
        help="how often to begin again with other weights when all codes have become the same",
    )
    add("--output", default="runs/olivetti", metavar="DIR", help="the folder to write")
    return parser


if __name__ == "__main__":
    sys.exit(main())
