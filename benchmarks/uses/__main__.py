"""What autoencoders are for, measured: runs the experiments and writes docs/uses/.

    python benchmarks/uses --all                 # all of them, some ten minutes on two cores
    python benchmarks/uses --only denoising      # one of them; the others keep their numbers
    python benchmarks/uses --fast                # seconds, for a look: writes to a temporary folder
    python benchmarks/uses --page                # only the page, from results.json

Each file beside this one is a use: ``run(job)`` measures and draws and returns plain numbers,
``text(results)`` turns them into words. No number on the page was typed by hand.
"""

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import mnist
import page
from shared import FOLDER, Job

from autoencoder import DiagnosisWarning


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--all", action="store_true", help="run every experiment")
    parser.add_argument("--only", choices=page.USES, nargs="+", default=[], help="run these")
    parser.add_argument("--fast", action="store_true", help="small data and few epochs")
    parser.add_argument("--page", action="store_true", help="only write the page again")
    parser.add_argument("--digits", help="path of other digits, for trials (implies another --out)")
    parser.add_argument("--mnist", metavar="FILE", help=mnist.HELP)
    parser.add_argument("--out", type=Path, help="folder for results, figures and page")
    options = parser.parse_args()
    if not (options.all or options.only or options.fast or options.page):
        parser.error("say what to run: --all, --only NAME, --fast or --page")
    trial = options.fast or options.digits
    folder = options.out or (Path(tempfile.mkdtemp(prefix="uses_")) if trial else FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(options.fast, folder, options.digits, options.mnist)
    warnings.simplefilter("ignore", DiagnosisWarning)  # the page compares with more than PCA
    names = [] if options.page else options.only or list(page.USES)
    for name in names:
        began = time.perf_counter()
        results = page.USES[name].run(job)
        seconds = time.perf_counter() - began
        page.keep(folder, name, {**results, "seconds": seconds})
        print(f"{name}: {seconds:.0f} s", flush=True)
    page.write(folder)
    print(f"the page is {folder / 'README.md'}")


if __name__ == "__main__":
    main()
