"""The course: twenty-four scripts, from the slope of a function to a variational autoencoder.

Start with ``python lessons/01_a_slope_you_can_measure.py``; ``python -m lessons`` lists the rest. A
lesson uses two names of this package:

    lesson = Lesson(3)                # reads --fast, --show, ...
    @lesson.exercise("3.1")           # judges what you wrote, and prints one line
    lesson.earlier(2, "gradients")    # your answer of an earlier lesson, if it is right
    lesson.guess(name, question)      # asks for the number before it is reported
    lesson.report(name, value, "5%")  # prints a number and compares it with the recorded one
    lesson.draw("spread", claim, ...)  # draws a figure, by figures/NN.py, into lessons/out/
    lesson.finish()                   # the last line: what is done, how long it took

and you write where a body says ``raise Todo(...)``. How answers are judged is in ``_check.py``;
each file beside it begins with what it is for, and WRITING.md says how a lesson is made.
"""

import sys

try:
    from ._check import Check, Judge, Todo, Wrong, directional
    from ._lesson import Lesson
    from ._use import use
except ModuleNotFoundError as error:
    if sys.argv[0] != "-m":  # of a script: lessons.py says it
        raise
    if sys.argv[1:2] == ["doctor"]:  # it says what else is missing
        from ._doctor import main

        sys.exit(main())
    sys.exit(f"The lessons need {error.name}: run  pip install -e .  in the folder of the project")

__all__ = ["Check", "Judge", "Lesson", "Todo", "Wrong", "directional", "use"]
