"""Mutation testing: change one small thing in a source and see whether a test notices.

    python tests/tools/mutation.py .mutation record      # once: which test runs which line
    python tests/tools/mutation.py .mutation run         # a sample of mutants; may be stopped
    python tests/tools/mutation.py .mutation report      # scores by package, and the survivors
    python tests/tools/mutation.py .mutation named       # the mutants that once survived, by name

A tool of our own, because mutmut leaves decorated functions alone, which all primitives are, and
cosmic-ray starts the tests anew for each mutant, which takes ten times as long. The folder keeps
all that is known: a mutant that a test killed counts for as long as its file is the same and has
that test, since tests only grow. The coverage package is needed for recording, and nowhere else.
"""

import argparse
import difflib
import functools
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import mutation_server as server
from mutation_changes import mutants
from mutation_known import EQUIVALENT, SURVIVORS, named

ROOT = Path(__file__).parents[2]
# Everything that computes or promises something; not what only draws, nor the GPU's kernels, which
# tests/minigrad/cuda and compute-sanitizer look after.
SOURCES = (
    "minigrad/*.py", "minigrad/cpu/*.py", "autoencoder/*.py", "autoencoder/parts/*.py",
    "autoencoder/codec/*.py", "autoencoder/evaluation/*.py", "autoencoder/datasets/*.py",
    "autoencoder/runs/*.py", "autoencoder/commands/*.py", "lessons/_*.py",
)  # fmt: skip
DRAWN = ("autoencoder/runs/figures.py", "autoencoder/runs/html.py", "lessons/_figures.py")
TESTS = (
    "tests/minigrad/cpu/test_*.py", "tests/minigrad/test_*.py", "tests/test_imports.py",
    "tests/minigrad/cuda/test_capture.py", "tests/minigrad/cuda/test_device_library.py",
    "tests/minigrad/cuda/test_training_step.py",
    "tests/autoencoder/test_*.py", "tests/autoencoder/*/test_*.py", "tests/lessons/test_*.py",
    "tests/tools/test_*.py",
)  # fmt: skip
LIMITS = (4, 50), (5, 100)  # seconds and number of tests: a quick look, and then
AGAIN = (60, 200), (200, 600)  # the same for what survived that, by --again
ENOUGH = 1500, 0.97  # mutants that are tried, and the share of them that is killed


def files(patterns):
    found = [p for pattern in patterns for p in sorted(ROOT.glob(pattern))]
    names = [p.relative_to(ROOT).as_posix() for p in found if p.name != "__init__.py"]
    return [name for name in names if name not in DRAWN]


def sample(count, seed):
    """About `count` mutants of all sources, of each in proportion to its own, in random order."""
    found = {file: mutants(file, (ROOT / file).read_text()) for file in files(SOURCES)}
    share = count / sum(map(len, found.values()))
    chosen = []
    for file, all_of_it in found.items():
        wanted = min(len(all_of_it), max(4, round(share * len(all_of_it))))
        chosen += random.Random(f"{seed} {file}").sample(all_of_it, wanted)
    random.Random(seed).shuffle(chosen)
    return chosen


# ---------------------------------------------------------------------- which tests
class Known:
    """Which tests run which lines, as recorded, and which have killed mutants so far."""

    def __init__(self, folder, killed=()):
        self.seconds, self.lines = {}, defaultdict(lambda: defaultdict(set))
        self.setup = {}  # seconds that a file of tests takes once, for what they share
        for path in (folder / "cover").glob("*.json"):
            recorded = json.loads(path.read_text())
            passed = {t: s for t, (s, outcome) in recorded["tests"].items() if outcome == "passed"}
            self.seconds |= passed
            if passed:
                first, usual = next(iter(passed)), sorted(passed.values())[len(passed) // 2]
                self.setup[first.split("::")[0]] = max(0, passed[first] - usual)
            for file, lines in recorded["lines"].items():
                now = moved(file, folder / "sources" / recorded["sources"].get(file, "none"))
                for line, tests in lines.items():
                    for at in now.get(int(line), ()):
                        self.lines[file][at] |= passed.keys() & tests
        self.killers, self.reliable = defaultdict(Counter), {result["by"] for result in killed}
        for result in killed:
            self.killers[result["key"].split(":")[0]][result["by"].split("[")[0]] += 1

    def tests(self, mutant):
        """Those that run the mutant's lines, the quick and deadly first: {name: seconds}."""
        lines = self.lines[mutant.file]
        found = set().union(*(lines[line] for line in mutant.lines if line in lines))
        found = found or set().union(*lines.values())  # lines of a module's own are run at import
        found &= self.seconds.keys()
        own = {t for t in found if mutant.file.split("/")[0] in t.split("::")[0].split("/")}
        found = own or found
        stem, killers = Path(mutant.file).stem.strip("_"), self.killers[mutant.file]
        alike, ranked = Counter(), []
        for test in sorted(found, key=self.seconds.get):
            function = test.split("[")[0]
            alike[function] += 1  # one case of each test before the second of any
            file = test.split("::")[0]
            far = stem not in Path(file).stem  # the tests of a module have its name
            cost = self.seconds[test] + self.setup[file] / 5  # which others in the file share
            deadly = -killers[function] if alike[function] <= 3 and cost < 1 else 0
            ranked.append((far, deadly, alike[function], cost, test))
        return {test: self.seconds[test] for *_, test in sorted(ranked)}


@functools.cache
def moved(file, recorded):
    """Where the lines of a file that has changed since it was recorded are: {old: new ones}."""
    if not recorded.exists() or not (ROOT / file).exists():
        return {}
    old, new = recorded.read_text().splitlines(), (ROOT / file).read_text().splitlines()
    found = defaultdict(list)
    for what, a, b, c, d in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if what == "equal":
            for k in range(b - a):
                found[a + k + 1].append(c + k + 1)
        else:  # new lines are run by what ran the old ones there, or those on both sides
            for line in range(a, b) if a < b else (a - 1, a):
                found[line + 1] += range(c + 1, d + 1)
    return found


def at_most(tests, setup, seconds, count):
    """The first tests that take so long together, at least one."""
    chosen, total, begun = {}, 0.0, set()
    for test, its_own in tests.items():
        file = test.split("::")[0]
        its_own += 0 if file in begun else setup[file]
        if len(chosen) < count and (not chosen or total + its_own <= seconds):
            chosen[test] = tests[test]
            total += its_own
            begun.add(file)
    return chosen


# ---------------------------------------------------------------------- trying
def run(folder, chosen, results, again=False):
    """Try mutants one after another, those that need no import of their own first."""
    killed = [r for r in outcomes(results).values() if r["outcome"] == "killed"]
    known, place = Known(folder, killed), Path(tempfile.mkdtemp(prefix="run.", dir=folder))
    server.start()
    tree, scratch = server.prepare(place, "tree"), place / "scratch"
    limits = AGAIN if again else LIMITS
    pairs = {m.key: server.changed(str(tree / m.file), _original(m), m.source) for m in chosen}
    quick = [m for m in chosen if pairs[m.key] is not None]

    def in_place(hot):
        def run(mutant, tests, limit):
            return hot.run(scratch, tests, pairs[mutant.key] if mutant else [], limit)

        for mutant in quick:
            attempt(mutant, known, tree, run, results, limits)

    def imported(_, tests, limit):
        return server.run(tree, scratch, tests, limit)

    if quick:
        tests = {test.split("::")[0] for m in quick for test in known.tests(m)}
        server.hot(tree, place / "hot", sorted(tests), in_place)
    for mutant in chosen:
        if pairs[mutant.key] is None:
            most = (8, 30) if again else (3, 8)
            attempt(mutant, known, tree, imported, results, limits, files=most)
    shutil.rmtree(place)


def _original(mutant):
    return (ROOT / mutant.file).read_text()


def few_files(tests, most):
    """The tests in the first few files among them: to collect a file takes seconds."""
    files = list(dict.fromkeys(test.split("::")[0] for test in tests))[:most]
    return {test: seconds for test, seconds in tests.items() if test.split("::")[0] in files}


def attempt(mutant, known, tree, run, results, limits, files=(1000, 1000)):
    """Try a mutant and note what becomes of it, unless another process has done so meanwhile."""
    if limits is LIMITS and fate(mutant, outcomes(results)):
        return
    tests, tried, outcome, by = known.tests(mutant), {}, "survived", ""
    given = limits, files
    began, path = time.time(), tree / mutant.file
    for old in path.parent.glob(f"__pycache__/{path.stem}.*"):
        old.unlink()
    path.write_text(mutant.source)
    if reason(mutant):  # no test can tell it: one look is enough
        limits, files = limits[:1], files[:1]
    for (seconds, count), most in zip(limits, files, strict=True):
        rest = {t: s for t, s in tests.items() if t not in tried}
        chosen = at_most(few_files(rest, most), known.setup, seconds, count)
        if not chosen:
            break
        status, by = run(mutant, chosen, 90 + 10 * sum(chosen.values()))
        tried |= chosen
        if status and by in known.seconds and by not in known.reliable:
            path.write_text(_original(mutant))
            until = dict(list(chosen.items())[: list(chosen).index(by) + 1])
            if run(None, until, 90 + 10 * sum(until.values()))[0]:  # it fails by itself
                print(f"left out, because it fails without a mutant: {by}", flush=True)
                del known.seconds[by]
                return attempt(mutant, known, tree, run, results, *given)
            known.reliable.add(by)
        if status:
            outcome = "timeout" if status in (None, -signal.SIGPROF) else "killed"
            known.killers[mutant.file][by.split("[")[0]] += 1
            break
    path.write_text(_original(mutant))
    result = {"key": mutant.key, "outcome": outcome, "by": by, "tests": len(tried)}
    result |= {"seconds": round(time.time() - began, 2), "source": server.digest(mutant.file)}
    with open(results, "a") as file:
        file.write(json.dumps(result) + "\n")


# ---------------------------------------------------------------------- what came of it
def outcomes(results):
    """The last result of each mutant by its key."""
    lines = results.read_text().splitlines() if results.exists() else []
    return {result["key"]: result for result in map(json.loads, lines)}


def fate(mutant, done):
    """What became of a mutant of the present source; a test that killed it must still be there."""
    result = done.get(mutant.key)
    if result is None or result.get("source") != server.digest(mutant.file):
        return None
    if result["outcome"] != "survived" and not _exists(result["by"]):
        return None
    return result["outcome"]


@functools.cache
def _exists(test):
    file, _, name = test.partition("::")
    path = ROOT / file
    if not path.exists():
        return test == "collection"
    inside = name.split("[")[0].split("::")[-1]
    return not file.startswith("tests/") or f"def {inside}(" in path.read_text()


def package(file):
    parts = file.split("/")
    return parts[0] if len(parts) == 2 else "/".join(parts[:2])


def reason(mutant, known=EQUIVALENT):
    """Why a mutant cannot be told from the original, or None."""
    names = mutant.words, f"{mutant.words} ({mutant.which})"  # all alike on a line, or this one
    for why, places in known.items():
        for file, text, words in places:
            if mutant.file == file and words in names and mutant.text.startswith(text):
                return why
    return None


def report(chosen, results):
    """Print the scores by package and the survivors; the last line is the whole.

    Returns 1 where that is not enough, or a survivor has no reason.
    """
    done, lines = outcomes(results), []
    table = defaultdict(Counter)
    for mutant in chosen:
        outcome = fate(mutant, done)
        if outcome is None:
            continue
        if outcome == "survived" and reason(mutant):
            outcome = "equivalent"
            lines.append(f"equivalent: {mutant.key} | {reason(mutant)}")
        elif outcome == "survived":
            why = reason(mutant, SURVIVORS) or "not studied"
            lines.append(f"survived: {mutant.key} | {why}")
        for row in (table[package(mutant.file)], table["in all"]):
            row[outcome] += 1
    print("\n".join(sorted(lines)))
    for name in sorted(table, key=lambda name: (name == "in all", name)):
        row = table[name]
        tried, dead = row.total(), row["killed"] + row["timeout"]
        score = dead / max(1, tried - row["equivalent"])
        print(
            f"{name}: {tried} mutants, {dead} killed ({row['timeout']} by their time), "
            f"{row['equivalent']} equivalent, {row['survived']} survived: {score:.1%}"
        )
    studied = not any(line.endswith(" | not studied") for line in lines)
    return not (table and studied and tried >= ENOUGH[0] and score >= ENOUGH[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=lambda text: Path(text).resolve())
    parser.add_argument("what", choices=["record", "run", "report", "named"])
    parser.add_argument("patterns", nargs="*", help="only these sources, or tests to record")
    parser.add_argument(
        "--count", type=int, default=1480, help="mutants in the sample, and a few more"
    )
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--again", action="store_true", help="try again what survived")
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    if options.what == "record":
        return server.record(folder, files(options.patterns or TESTS + SOURCES))
    if options.what == "named":
        chosen, results = named(), folder / "named.jsonl"
        results.unlink(missing_ok=True)
    else:
        chosen, results = sample(options.count, options.seed), folder / "results.jsonl"
    if options.patterns:
        wanted = set(files(options.patterns))
        chosen = [mutant for mutant in chosen if mutant.file in wanted]
    if options.what != "report":
        done = outcomes(results)
        wanted = "survived" if options.again else None
        left = [m for m in chosen if fate(m, done) == wanted]
        run(folder, left, results, options.again)
    return report(chosen, results)


if __name__ == "__main__":
    sys.exit(main())
