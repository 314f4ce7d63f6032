"""The promises of this project, each with the command that tries to break it: docs/trust.md.

    python tests/tools/trust.py                 # everything; the mutants take an hour or two
    python tests/tools/trust.py damage fuzz     # these rows anew, the others as they were

Every row's figure is the last line that its command prints; docs/trust.json keeps them.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGE, RECORD = ROOT / "docs/trust.md", ROOT / "docs/trust.json"


class Row(NamedTuple):
    promise: str
    command: str  # after "python"
    environment: tuple = ()  # (variable, value) pairs


SUITE = "-m pytest -q --no-header -p no:cacheprovider"
ROWS = {
    "resume": Row(
        "A training that was saved and continued equals one that was not interrupted, bit for bit, "
        "for every kind of autoencoder",
        f"{SUITE} tests/autoencoder/runs/test_resume.py tests/autoencoder/test_persistence.py",
    ),
    "kill": Row(
        "A kill at any moment, also in the middle of writing, costs no more than the last "
        "checkpoint; the resumed training ends with the same weights",
        "tests/tools/kill.py --kills 200",
    ),
    "writers": Row(
        "A run folder has one writer at a time, dead ones hold nothing, and no training overwrites "
        "a run: a replacement comes when it is whole, settings and model are of one training",
        "tests/tools/writers.py --rounds 30",
    ),
    "folders": Row(
        "The same on systems without locks, for processes that were stopped and wake, for folders "
        "that go away, for links; shuffled labels and any changed image are noticed",
        f"{SUITE} tests/autoencoder/runs/test_one_writer.py "
        "tests/autoencoder/commands/test_commands.py",
    ),
    "outputs": Row(
        "What a command writes appears whole or not at all, on the disk before it has its name; "
        "permissions, owners and links stay, nothing is written through a link inside a run",
        f"{SUITE} tests/minigrad/test_whole.py tests/autoencoder/commands/test_whole_outputs.py",
    ),
    "power": Row(
        "A power cut at any point leaves every output old or new, whole, and a run finished or one "
        "that goes on: shown on a disk that loses what was not flushed",
        f"{SUITE} tests/minigrad/test_power_cut.py tests/autoencoder/test_power_cuts.py",
    ),
    "memory": Row(
        "No operation takes more than 1.3 times the memory of its data or file, and constant "
        "blocks; tests/tools/memory.py prints the table for data of any size",
        f"{SUITE} tests/autoencoder/test_memory_use.py",
    ),
    "strangers": Row(
        "Run folders may come from strangers: absurd settings, numbers, histories, headers, links, "
        "pipes and devices end well or in a sentence, and run nothing",
        "tests/tools/strangers.py --runs 300",
    ),
    "pictures": Row(
        "So may pictures, model files and compressed files; no program is started for a picture, "
        "no pickle opened, no download endless, no name in a file replaces a method",
        f"{SUITE} tests/autoencoder/datasets/test_strange_files.py "
        "tests/autoencoder/test_left_alone.py tests/autoencoder/codec/test_codec_damage.py",
    ),
    "names": Row(
        "Names of data are shown as they are, formulas and HTML too; a terminal or pipe that "
        "cannot be written to ends no training",
        f"{SUITE} tests/autoencoder/plots/test_texts.py "
        "tests/autoencoder/commands/test_strange_names.py",
    ),
    "damage": Row(
        "A file is data: damaged, forged, absurd or booby-trapped ones load right or are refused "
        "in a sentence, within a second and 200 MB",
        "tests/tools/damage.py --files 10000",
    ),
    "codec": Row(
        "The same for compressed images", f"{SUITE} tests/autoencoder/codec/test_codec_damage.py"
    ),
    "bits": Row(
        "The same seed gives the same bits: in other processes, hash seeds, threads, forks, joblib",
        f"{SUITE} tests/autoencoder/test_same_bits.py tests/minigrad/cpu/test_pool.py",
    ),
    "blas": Row(
        "Products have the same bits whatever the number of BLAS's threads, in any thread, in two "
        "at once and after a fork amid them; BLAS then has its own number again, whoever leaves "
        "last",
        f"{SUITE} tests/minigrad/cpu/test_blas.py",
    ),
    "interrupt": Row(
        "Ctrl-C leaves no state behind, whenever it comes: BLAS, pool, recording, recycled memory, "
        "counts of steps",
        "tests/tools/interrupt.py --moments 4000 --signals 1000",
    ),
    "dtype": Row(
        "No silent float64, no silent NaN: nan_trace names the operation, a training that diverges "
        "keeps its best weights",
        f"{SUITE} tests/minigrad/test_debug.py tests/autoencoder/test_training.py "
        "tests/autoencoder/test_olivetti.py",
    ),
    "fuzz": Row(
        "Every public function answers anything with a result or a sentence of its own",
        f"{SUITE} tests/minigrad/test_fuzz.py",
        (("MINIGRAD_FUZZ_EXAMPLES", "600"),),
    ),
    "estimators": Row(
        "So does everything public of `autoencoder`; what is refused leaves an estimator as it was",
        f"{SUITE} tests/autoencoder/test_fuzz_estimators.py "
        "tests/autoencoder/test_fuzz_functions.py",
        (("MINIGRAD_FUZZ_EXAMPLES", "200"),),
    ),
    "errors": Row(
        "Every documented error is reached by a test",
        f"{SUITE} tests/minigrad/test_errors.py tests/minigrad/test_checkpoint_errors.py "
        "tests/autoencoder/test_bad_input.py "
        "tests/autoencoder/commands/test_commands_bad_input.py",
    ),
    "gpu": Row(
        "The GPU's code is right where no GPU is: compiled, simulated in three orders of threads, "
        "sanitised, run on a strict double of CuPy",
        f"{SUITE} tests/minigrad/cuda tests/fakes",
    ),
    "faults": Row(
        "The gradient checker catches deliberate faults in derivatives", "tests/tools/mutants.py"
    ),
    "mutation": Row(
        "Changing one sign, constant, operator, operand, comparison or statement of anything that "
        "computes or promises makes a test fail (a sample over all files)",
        "tests/tools/mutation.py .mutation report",
    ),
}

VERSIONS = (
    "On every commit the whole suite runs on Python 3.11 with the newest packages. On 2026-11-22 "
    "it also ran, by `python -m pytest` in a fresh clone, on Python 3.13.5 with NumPy 2.5.5, "
    "SciPy 1.18.1, scikit-learn 1.9.1 and g++ 14 (Debian trixie in a chroot), and on Python "
    "3.11.7 with the oldest versions that pyproject.toml allows: NumPy 2.0.0, SciPy 1.13.0, "
    "scikit-learn 1.6.0, matplotlib 3.9.0, threadpoolctl 3.5.0, tqdm 4.66.0, Pillow 10.0.0, pooch"
    " 1.8.0, constriction 0.4.2, pytest 8.0.0, Hypothesis 6.100.0. One test failed on each, which"
    " was mended and the test, not the whole suite, repeated there. Python 3.12 could not be had."
    " The hold on BLAS was tried on 2026-11-28 with threadpoolctl 3.5.0 and 3.8.0, and with NumPy "
    "2.2.4 of Debian trixie (Python 3.13) on OpenBLAS 0.3.29 with its own threads and with OpenMP, "
    "BLIS 1.1 with POSIX threads and with OpenMP, and MKL 2026.2 of PyPI: the same bits in the "
    "main thread, another, two at once and after a fork, and every number of threads restored. "
    "Debian's libblas.so.3 made from BLIS exports none of BLIS's own functions and cannot be held; "
    "AMD's BLIS and Apple's Accelerate could not be had."
)

DEFECTS = (
    "Damaged files: a header whose `about` was no object, a name that was a list, an unknown "
    "activation, or another number of features than the weights have were noticed late, or with "
    "an error of Python's own (15 of 10,000 files).",
    "Fuzzing: an array of text or truth values made `sigmoid`, `relu`, `sign` and others raise a "
    "TypeError about the arguments of NumPy's exception; `concatenate(axis=None)`, "
    "`mean(axis='x')`, `resize_bicubic` to a size that is no whole number, and the losses of text, "
    "lists or None ended in bare NumPy messages; so did the way back from a `transpose` whose axes "
    "were an array, from a power of truth values and from a `clip` to arrays.",
    "Fuzzing the estimators: a refused `fit` with other columns left a fitted model broken, and a "
    "refused noise one that counted as fitted; a detector whose `criterion` was changed later "
    "compared with the threshold of the old one, and one fitted on numbers near 1e200 called "
    "everything normal; `sample` could return NaN; `batch_size=numpy.int8(100)`, a `Fraction` as "
    "learning rate and some thirty kinds of nonsense given to metrics, splits, baselines and the "
    "codec ended in Python's or NumPy's own words.",
    "Other versions: the covariance of one row failed on an older NumPy, and NVIDIA's compiler "
    "13.0 spilled registers of a kernel for which 13.5 had enough.",
    "Mutants: ten of a first 356 and three of a later 357 showed that no test looked: losses of "
    "one example, the default of `var`, a beta of 0, gradients below the limit of their norm.",
    "A training resumed at the epoch where its patience, or the reference model's codes, had just "
    "given out went on past it.",
    "A checkpoint written after a resume differed from the uninterrupted one in a parameter "
    "(`warm_start`), which the first 200 kills found.",
    "A new training removed an earlier run before its own settings were safely on the disk; a kill "
    "before `config.json` existed left a folder that could not be used again.",
    "`history.csv` and the JSON files of a run were not written atomically, the folder was not "
    "flushed, and a full disk could leave `.part` files behind.",
    "A nonsensical history in a model file crashed in the middle of training.",
    "Penalties of negative weight and codes of negative beta trained towards minus infinity.",
    "Saved files could be read by their owner only, whatever the umask.",
    "The test of the reference model's noise passed if all images shared one noise.",
    "With threadpoolctl 3.8 the hold on BLAS was none outside the first thread: other bits, 5 to "
    "10 times the time, and a fork while two threads trained hung both processes. Ctrl-C within "
    "the hold's first or last lines left it on or off for good; within `threading.Thread.start` it "
    "can break Python's own lock, so the pool does without.",
    "The tests of the same bits used products too small for a second thread, and could not fail.",
    "Two processes in one run folder ended with one's model under the other's settings; a process "
    "that had been stopped overwrote a finished run; `train` into a finished run destroyed it.",
    "A write that failed half-way destroyed the good file in eight commands of eight, and "
    "`np.save` under a file-size limit left half an array with exit status 0.",
    "35 tracebacks from absurd run folders, 9.5 GB from a wide history, files overwritten through "
    "links; names in a model file replaced methods; an EPS picture started Ghostscript.",
    "A folder of pictures in several folders, a new run folder and the removal of metrics.json "
    "were not flushed; a contamination such as 0.29 of 99 calibration rows took the rank below.",
    "A data name with `$\\frac$` made a run that could not be finished; shuffled labels passed; a "
    "progress bar that could not be written ended the training.",
    "Mutants: a lesson did not recognise an answer that was summed over the last axis; "
    "`solver_options={1: 2}` ended in Python's own words, `assert_close_to_torch` in a warning "
    "where both sides were infinite; a second NumPy format and five other pieces of code did "
    "nothing and are gone. No test had noticed that an operation with a single integer argument is "
    "refused.",
)


MUTANTS = (
    "A mutant is one small change of one source; the sample has some of every file, in proportion "
    "to what can be changed there. It is killed if a test fails with it, or does not end. Those "
    "that are equivalent, because no test could tell them from the original, have their reasons in "
    "`tests/tools/mutation_known.py` and do not count. Tests were written for mutants of this "
    "sample that had survived, so the score of others is lower than the one here. A result counts "
    "for as long as the file of the mutant is the same and has the test that killed it."
)


def run(name):
    """Run the command of a row: what docs/trust.json keeps of it."""
    row, began = ROWS[name], time.perf_counter()
    commit = subprocess.check_output(["git", "describe", "--always"], cwd=ROOT, text=True).strip()
    done = subprocess.run(
        [sys.executable, *row.command.split()],
        cwd=ROOT,
        env=os.environ | dict(row.environment),
        capture_output=True,
        text=True,
    )
    lines = [line.strip(" .[]") for line in done.stdout.splitlines() if line.strip(" .[]")]
    last = lines[-1] if lines else done.stderr.strip().splitlines()[-1]
    if "pytest" in row.command:
        last = count(row)
    print(f"{name}: {'held' if done.returncode == 0 else 'BROKEN'}: {last}", flush=True)
    survivors = [line for line in lines if line.startswith("survived:")]
    return {
        "held": done.returncode == 0,
        "figure": last,
        "seconds": round(time.perf_counter() - began),
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit,
        "survivors": survivors,
        "packages": [line for line in lines if re.match(r"\S[^:]*: \d+ mutants, ", line)],
    }


def count(row):
    """How many tests a row has."""
    command = [sys.executable, *row.command.split(), "--collect-only"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    tests = sum(map(int, re.findall(r"^\S+: (\d+)$", done.stdout, re.M)))  # one line a file
    examples = dict(row.environment).get("MINIGRAD_FUZZ_EXAMPLES")
    return f"{tests} tests passed" + (f", {examples} examples each" if examples else "")


def page(record):
    """docs/trust.md from what was recorded."""
    lines = [
        "# Promises, and what tried to break them",
        "",
        "`python tests/tools/trust.py` runs the commands and writes this page; the figures are "
        "what they printed.",
        "",
        "| promise | command: `python ...` | figure | date |",
        "|---|---|---|---|",
    ]
    for name, row in ROWS.items():
        if name in record:
            kept = record[name]
            held = kept["figure"] if kept["held"] else f"**broken**: {kept['figure']}"
            environment = "".join(f"{k}={v} " for k, v in row.environment)
            command = row.command.replace(SUITE, "-m pytest")
            lines.append(f"| {row.promise} | `{environment}{command}` | {held} | {kept['date']} |")
    lines += ["", "## Versions", "", VERSIONS]
    lines += ["", "## Defects that these tests found, all mended", ""]
    lines += [f"* {defect}" for defect in DEFECTS]
    packages = record.get("mutation", {}).get("packages", [])
    if packages:
        commit = record["mutation"].get("commit", "unknown")
        lines += ["", "## Mutants by package", "", f"{MUTANTS} Of commit {commit}:", ""]
        lines += [f"* {line}" for line in packages]
    survivors = record.get("mutation", {}).get("survivors", [])
    if survivors:
        lines += ["", "## Mutants that survived", ""]
        for line in survivors:
            mutant, _, reason = line.removeprefix("survived: ").rpartition(" | ")
            lines.append(f"* `{mutant}`: {reason}")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="default: all")
    parser.add_argument("--page", action="store_true", help="only write the page again")
    options = parser.parse_args()
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for name in [] if options.page else options.rows or ROWS:
        record[name] = run(name)
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
    PAGE.write_text(page(record))
    return not all(kept["held"] for kept in record.values())


if __name__ == "__main__":
    raise SystemExit(main())
