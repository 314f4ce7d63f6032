"""Verdicts as JSON, for whoever collects them: {"2": {"title": ..., "exercises": {...}}, ...}."""

import json
import sys


def read_results(path):
    """What ``--json`` wrote to `path`; {} if nothing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        sys.exit(f"{path} is not a file of --json: give another name, or remove it")
    return found


def add_result(path, lesson):
    """Put the verdicts of a `lesson` that has ended into the file, in the place of older ones."""
    exercises = {
        title: {"status": verdict.status, "text": verdict.text}
        for title, verdict in lesson.verdicts.items()
    }
    result = {
        "title": lesson.header.title,
        "seed": lesson.seed,
        "right": sum(verdict.status == "right" for verdict in lesson.verdicts.values()),
        "of": lesson.header.exercises,
        "exercises": exercises,
    }
    results = read_results(path) | {str(lesson.number): result}
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
