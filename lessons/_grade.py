"""``python -m lessons grade FOLDER``: run what learners handed in, on fresh numbers.

Each file NN_slug.py anywhere in the folder is one answer, whose author is the folder that it lies
in. It runs in a process and a folder of its own, with the judge of this checkout and not one that
came along.
"""

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ._header import FOLDER, lessons
from ._results import read_results


def main(arguments):
    """Print a line for each file and exercise, and write all to a file; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m lessons grade", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the answers lie: folder/NAME/NN_slug.py")
    parser.add_argument("--seed", type=int, help="of the numbers to judge on; default: a new one")
    parser.add_argument("--json", type=Path, default=Path("results.json"), metavar="FILE")
    parser.add_argument("--seconds", type=float, default=300, help="for one file; default: 300")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    names = {path.name: number for number, path in lessons().items()}
    paths = sorted(p for p in options.folder.rglob("[0-9][0-9]_*.py") if p.name in names)
    if not paths:
        parser.error(f"{options.folder} holds no file that is named like a lesson")
    found = []
    for path in paths:
        author = path.parent.relative_to(options.folder).as_posix()
        result = grade(path, names[path.name], seed, options.seconds)
        found.append({"author": author, "file": path.name, **result})
        print(f"{author:20} {path.name:40} {result.get('right', 0)}/{result.get('of', '?')}")
        for title, verdict in result.get("exercises", {}).items():
            if verdict["status"] != "right":
                print(f"    {title}: {verdict['text']}")
        if "stopped" in result:
            print(f"    stopped: {result['stopped']}")
    options.json.write_text(json.dumps({"seed": seed, "results": found}, indent=1) + "\n")
    print(f"\nseed {seed}, wrote {options.json}")
    return 0


def grade(path, number, seed, seconds):
    """The verdicts on one file, as ``--json`` has them, or {"stopped": why}."""
    environment = os.environ | {"PYTHONPATH": str(FOLDER.parent)}
    with tempfile.TemporaryDirectory() as folder:
        script, results = Path(folder) / path.name, Path(folder) / "results.json"
        shutil.copy(path, script)
        flags = ["--fast", "--all", "--seed", str(seed), "--json", results]
        try:
            done = subprocess.run(
                [sys.executable, script, *flags],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return {"stopped": f"it ran for more than {seconds:g} s"}
        result = read_results(results).get(str(number))
    said = (done.stderr.strip() or "it never came to lesson.finish()").splitlines()
    return result or {"stopped": said[-1]}
