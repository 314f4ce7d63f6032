"""The literature, reproduced: runs the experiments of papers and writes docs/papers.md.

    python benchmarks/papers --all                   # on MNIST, which is downloaded: hours
    python benchmarks/papers --all --digits FILE     # on the digits of an .npz: half an hour
    python benchmarks/papers --only deep_2006        # one of them; the others keep their numbers
    python benchmarks/papers --fast                  # seconds, for a look, in a temporary folder
    python benchmarks/papers --page                  # only the page, from papers.json

Each file with a year in its name is one paper, or two of one year's kind: ``run(job)`` measures and
returns plain numbers, ``rows(results)`` and ``text(results)`` turn them into words. What the papers
say is in ``published.py``; every other number on the page was measured.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import page
from data import PAGE, Job


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--all", action="store_true", help="run every experiment")
    parser.add_argument("--only", choices=page.PAPERS, nargs="+", default=[], help="run these")
    parser.add_argument("--fast", action="store_true", help="small data and few epochs")
    parser.add_argument("--page", action="store_true", help="only write the page again")
    parser.add_argument("--digits", help="an .npz with images and labels, in place of MNIST")
    parser.add_argument("--out", type=Path, help="folder for results, figure and page")
    options = parser.parse_args()
    if not (options.all or options.only or options.fast or options.page):
        parser.error("say what to run: --all, --only NAME, --fast or --page")
    folder = options.out or (
        Path(tempfile.mkdtemp(prefix="papers_")) if options.fast else PAGE.parent
    )
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(options.fast, folder / PAGE.name, options.digits)
    for name in [] if options.page else options.only or list(page.PAPERS):
        began = time.process_time()
        results = page.PAPERS[name].run(job)
        seconds = time.process_time() - began
        page.keep(job.page, name, {**results, "seconds": seconds})
        print(f"{name}: {seconds:.0f} s of the processor", flush=True)
    page.write(job.page)
    print(f"the page is {job.page}")


if __name__ == "__main__":
    main()
