"""Fails, and says which files differ, unless two wheels hold the same files:
``A.whl B.whl [--but PATTERN ...]``, those of the patterns being in A only, or different."""

import fnmatch
import sys
import zipfile

first, second, *_ = sys.argv[1:]
but = sys.argv[4:]
made, direct = ({n: w.read(n) for n in w.namelist()} for w in map(zipfile.ZipFile, (first, second)))
differing = sorted(n for n in made.keys() | direct.keys() if made.get(n) != direct.get(n))
allowed = [n for n in differing if any(fnmatch.fnmatch(n, pattern) for pattern in but)]
if differing != allowed:
    sys.exit(f"{first} and {second} differ: {sorted(set(differing) - set(allowed))}")
if any(not fnmatch.filter(differing, pattern) for pattern in but):
    sys.exit(f"{first} and {second} do not differ in {but}")
print(f"{first}: {len(made)} files, those of {second}" + (f" but for {allowed}" if but else ""))
