"""Stands in the way on purpose: ``python lessons/01_....py`` finds this file, not the package.

Python looks for imports first in the folder of the script. This file hands over to the package,
one folder up, wherever you are; or says in one sentence what is missing. From then on Ctrl-C and a
reader that has gone (``| head``) end in a sentence too.
"""

import importlib
import sys
from pathlib import Path

if __name__ == "lessons":
    here = Path(__file__).resolve().parent
    sys.path[:] = [p for p in sys.path if Path(p or ".").resolve() != here]
    sys.path.insert(0, str(here.parent))
    del sys.modules["lessons"]
    try:
        importlib.import_module("lessons")
        sys.excepthook = importlib.import_module("lessons._ending").hook
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(line_buffering=True)  # or a reader has gone unnoticed
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as error:
        sys.exit(f"The lessons need {error.name}: run  pip install -e .  in {here.parent}")
