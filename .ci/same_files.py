"""Fails, and says which files differ, unless two wheels hold the same files: ``A.whl B.whl``."""

import sys
import zipfile

made, direct = ({n: w.read(n) for n in w.namelist()} for w in map(zipfile.ZipFile, sys.argv[1:]))
differing = sorted(n for n in made.keys() | direct.keys() if made.get(n) != direct.get(n))
if differing:
    sys.exit(f"the wheel made from the sdist is not the one of the checkout: {differing}")
print(f"{sys.argv[1]}: {len(made)} files, those of the checkout")
