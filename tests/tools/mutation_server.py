"""Runs tests on changed sources, quickly: what mutation.py needs of processes.

One process collects all tests once and then forks for each mutant: in the child the functions that
the change touches get their new code, and the tests that run its lines are run (`hot`). A change
that shows at import, such as one of a default or of a class, needs a process of its own, which
imports the project with it (`run`). The file is changed as well, in a copy of the tree, so that
programs which the tests start meet the mutant too. Which tests run which line was recorded before
(`record`).
"""

import contextlib
import ctypes
import functools
import gc
import hashlib
import importlib
import inspect
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import types
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = (
    "numpy", "scipy.linalg", "scipy.special", "scipy.optimize", "scipy.sparse", "sklearn",
    "sklearn.utils.estimator_checks", "sklearn.model_selection", "sklearn.pipeline",
    "sklearn.decomposition", "sklearn.datasets", "sklearn.linear_model", "sklearn.neighbors",
    "matplotlib.pyplot", "PIL.Image", "tqdm", "pooch", "threadpoolctl", "constriction", "pandas",
    "hypothesis", "pytest", "_pytest.doctest", "torch", "torch.nn", "onnx", "onnx.helper",
)  # fmt: skip
MEMORY = 8 << 30  # bytes of address space beyond the server's: a mutant that asks for more dies
QUIET = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         "-W", "ignore::pytest.PytestAssertRewriteWarning")  # fmt: skip
SITE = """import os
if os.environ.get("MUTATION_RECORD"):
    import coverage
    coverage.process_startup()
"""
RC = """[run]
source = {tree}/minigrad,{tree}/autoencoder,{tree}/lessons
data_file = {data}/sub
parallel = True
context = ${{MUTATION_TEST}}
disable_warnings = no-data-collected,no-ctracer,module-not-measured,module-not-imported
"""


def prepare(folder, name):
    """A copy of the tree in which sources may be changed, at folder/name."""
    tree = folder / name
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True
    )
    for path in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / path).is_file():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, tree / path)
    return tree


@functools.cache
def digest(file):
    """A short digest of a source of the project, as it is now."""
    return hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:16]


def start():
    """Import what all children share; called once, before the first fork."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MINIGRAD_NUM_THREADS": "1"}
    os.environ["MPLBACKEND"] = "agg"
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != ROOT]
    assert not any(m.split(".")[0] in ("minigrad", "autoencoder", "lessons") for m in sys.modules)


class Chosen:
    """A pytest plugin that runs some tests of the files, in a given order, each within its time."""

    def __init__(self, tests, report):
        self.order = {test: k for k, test in enumerate(tests)}
        self.seconds, self.report = tests, report

    def pytest_collection_modifyitems(self, items):
        items[:] = [i for i in items if i.nodeid in self.order]
        items.sort(key=lambda item: self.order[item.nodeid])

    def pytest_runtest_logstart(self, nodeid):
        Path(self.report).write_text(nodeid)
        # of the processor: others may be at work on the machine
        signal.setitimer(signal.ITIMER_PROF, 20 + 10 * self.seconds[nodeid])

    def pytest_runtest_logfinish(self):
        signal.setitimer(signal.ITIMER_PROF, 0)


class Recorder:
    """A pytest plugin that records the lines that each test runs, how long it takes, and if it
    passes."""

    def __init__(self, cover):
        self.cover, self.tests, self.began = cover, {}, 0.0

    def pytest_runtest_logstart(self, nodeid):
        os.environ["MUTATION_TEST"] = nodeid
        self.cover.start()
        self.cover.switch_context(nodeid)
        self.began = time.perf_counter()

    def pytest_runtest_logreport(self, report):
        if report.outcome != "passed" or report.when == "call":
            self.tests[report.nodeid] = [time.perf_counter() - self.began, report.outcome]

    def pytest_runtest_logfinish(self, nodeid):
        self.cover.stop()


def child(tree, scratch, work, limit):
    """Run work() in a forked child that imports from `tree`: its exit status, None if too slow."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    pid = os.fork()
    if not pid:
        code = 70
        try:
            os.setsid()
            with contextlib.suppress(AttributeError, OSError):  # Linux: end with the parent
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            os.chdir(tree)
            quiet = os.open(scratch / "output", os.O_WRONLY | os.O_CREAT)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            sys.path.insert(0, str(tree))
            os.environ |= {"PYTHONPATH": f"{tree.parent / 'site'}:{tree}", "TMPDIR": str(scratch)}
            used = 4096 * int(Path("/proc/self/statm").read_text().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            code = int(work())
        finally:
            os._exit(code)
    ended = time.monotonic() + limit
    status = None
    while status is None and time.monotonic() < ended:
        done, code = os.waitpid(pid, os.WNOHANG)
        status = os.waitstatus_to_exitcode(code) if done else None
        time.sleep(0 if done else 0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if status is None:
        os.waitpid(pid, 0)
    return status


def run(tree, scratch, tests, limit):
    """Run `tests` ({name: its seconds}) until the first failure: (exit status, last test begun)."""
    import pytest

    files = list(dict.fromkeys(test.split("::")[0] for test in tests))
    report = scratch / "test"

    def work():
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        options = [*QUIET, "--tb=line", f"--basetemp={scratch / 'tmp'}"]
        return pytest.main([*options, *files], plugins=[Chosen(tests, report)])

    status = child(tree, scratch, work, limit)
    return status, report.read_text() if report.exists() else "collection"


# ---------------------------------------------------------------------- functions changed in place
class Functions:
    """All functions that there are in this process, by where they were written."""

    def __init__(self):
        self.found = defaultdict(list)
        for thing in gc.get_objects():
            if type(thing) is types.FunctionType:
                self.found[_place(thing.__code__)].append(thing)

    def change(self, pairs):
        """Give functions their new code: for the pairs of old and new code of `changed`."""
        for old, new in pairs:
            for function in self.found[_place(old)]:
                function.__code__ = new


def _place(code):
    return code.co_filename, code.co_qualname, code.co_firstlineno, code.co_linetable, code.co_code


def changed(path, old, new):
    """The functions that differ between two sources of a file, as pairs of their code.

    None where more than the code of functions differs.
    """
    pairs, left = [], [(compile(old, path, "exec"), compile(new, path, "exec"), True)]
    while left:
        first, second, at_import = left.pop()
        inner = [[c for c in code.co_consts if isinstance(c, types.CodeType)]
                 for code in (first, second)]  # fmt: skip
        names = [[c.co_qualname for c in codes] for codes in inner]
        if names[0] != names[1]:
            return None
        body = not first.co_flags & inspect.CO_NEWLOCALS  # of a module or a class
        at_import &= body or first.co_name.endswith("comp>") or first.co_name == "<genexpr>"
        left += [(*pair, at_import) for pair in zip(*inner, strict=True)]
        if at_import:
            if _own(first) != _own(second):
                return None
        elif first != second or first.co_linetable != second.co_linetable:
            if first.co_freevars != second.co_freevars:
                return None
            pairs.append((first, second))
    return pairs


def _own(code):
    """What a piece of code does itself, without the functions in it."""
    consts = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
    return code.co_code, consts, code.co_names


class Hot:
    """A pytest plugin that, instead of running all that was collected, does `work(self)`."""

    def __init__(self, tree, work):
        self.tree, self.work = tree, work

    def pytest_collection_modifyitems(self, items):
        self.items = {item.nodeid: item for item in items}

    def pytest_runtestloop(self, session):
        self.functions, self.session = Functions(), session
        gc.collect()
        gc.freeze()
        self.work(self)
        return True

    def run(self, scratch, tests, pairs, limit):
        """Run `tests` with changed functions until the first failure, as `run` does."""
        report = scratch / "test"

        def work():
            import pytest
            from _pytest.main import pytest_runtestloop

            self.functions.change(pairs)
            self.session.items = [self.items[test] for test in tests if test in self.items]
            self.session.testsfailed = 0  # those that could not be collected
            manager = self.session.config.pluginmanager
            manager.register(Chosen(tests, report))
            self.session.config.option.maxfail = 1
            factory = self.session.config._tmp_path_factory
            factory._basetemp = scratch / "tmp"
            factory._basetemp.mkdir()
            try:
                pytest_runtestloop(self.session)
            except (pytest.Session.Failed, pytest.Session.Interrupted, KeyboardInterrupt):
                return 1
            return bool(self.session.testsfailed)

        status = child(self.tree, scratch, work, limit)
        return status, report.read_text() if report.exists() else "collection"


def hot(tree, scratch, files, work):
    """Collect the tests of `files` in a forked child, and do ``work(hot)`` there."""
    import pytest

    def collect():
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
        out = os.open(scratch / "log", os.O_WRONLY | os.O_CREAT)
        os.dup2(out, 1)
        os.dup2(out, 2)
        options = [o for o in QUIET if o != "-x"] + ["--continue-on-collection-errors"]
        return pytest.main([*options, "--maxfail=1000", *files], plugins=[Hot(tree, work)])

    return child(tree, scratch, collect, float("inf"))


# ---------------------------------------------------------------------- which test runs which line
def record(folder, files):
    """Run test files under coverage, each in a child; files already recorded are left out."""
    import pytest

    tree, cover = prepare(folder, "tree"), folder / "cover"
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site/sitecustomize.py").write_text(SITE)
    cover.mkdir(exist_ok=True)
    start()
    for file in files:
        result = cover / (file.replace("/", "+") + ".json")
        if result.exists():
            continue
        data = folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        (folder / "coveragerc").write_text(RC.format(tree=tree, data=data))

        def work(file=file, result=result, data=data):
            import coverage

            os.environ |= {
                "MUTATION_RECORD": "1",
                "COVERAGE_PROCESS_START": str(folder / "coveragerc"),
            }
            sources = [str(tree / p) for p in ("minigrad", "autoencoder", "lessons")]
            measured = coverage.Coverage(
                data_file=str(data / "main"), source=sources, config_file=False
            )
            measured._warn = lambda *a, **k: None
            recorder = Recorder(measured)
            options = [o for o in QUIET if o != "-x"]
            pytest.main(
                [*options, f"--basetemp={folder / 'scratch/tmp'}", file], plugins=[recorder]
            )
            measured.save()
            lines = defaultdict(lambda: defaultdict(set))
            for path in data.iterdir():
                with contextlib.suppress(Exception):  # of a program that was killed as it wrote
                    read = coverage.CoverageData(str(path))
                    read.read()
                    for measured_file in read.measured_files():
                        name = str(Path(measured_file).relative_to(tree))
                        for line, tests in read.contexts_by_lineno(measured_file).items():
                            lines[name][line] |= set(tests) & recorder.tests.keys()
            kept = {f: {n: sorted(t) for n, t in by.items() if t} for f, by in lines.items()}
            sources = {name: _keep(folder, tree / name) for name in kept}
            found = {"tests": recorder.tests, "lines": kept, "sources": sources}
            result.write_text(json.dumps(found))
            return 0

        began = time.time()
        status = child(tree, folder / "scratch", work, 600)
        print(f"{file}: {time.time() - began:.1f} s, status {status}", flush=True)
        if not result.exists():
            result.write_text(json.dumps({"tests": {}, "lines": {}, "sources": {}}))


def _keep(folder, path):
    """Keep a source by its digest, so that later changes of it can be followed."""
    name = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    (folder / "sources").mkdir(exist_ok=True)
    shutil.copy(path, folder / "sources" / name)
    return name
