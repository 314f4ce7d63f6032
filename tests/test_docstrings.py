"""What is public has a docstring in numpydoc's form that names its parameters as they are."""

import inspect
import re

import api
import pytest

import minigrad as mg

docscrape = pytest.importorskip("numpydoc.docscrape", reason="numpydoc is not installed: [docs]")
PUBLIC = [
    pytest.param(thing, id=f"{module}.{name}")
    for module, things in api.public().items()
    for name, thing in things.items()
]
# An operation on arrays alone has nothing to say about them that docs/site/api.md does not.
ARRAYS = {"x", "a", "b"}
SECTIONS = "Parameters", "Returns", "Yields", "Raises", "Attributes"


def parameters(thing):
    """The names of the parameters of a function or class, with the stars of *args."""
    if inspect.isclass(thing) and issubclass(thing, BaseException):
        return []
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [stars.get(p.kind, "") + p.name for p in inspect.signature(thing).parameters.values()]


def parents_with(names, thing):
    """Whether a parent of the class has the same parameters, and so describes them."""
    parents = thing.__mro__[1:-1] if names and inspect.isclass(thing) else ()
    described = (p for p in parents if "\nParameters\n" in (inspect.getdoc(p) or ""))
    return any(parameters(p) == names for p in described)


def faults(thing, names):
    """What is wrong with the docstring of `thing`, whose parameters are called `names`."""
    text = inspect.getdoc(thing) or ""
    parsed = docscrape.NumpyDocString(text)  # warns of a section that it does not know
    named = [n.strip() for p in parsed["Parameters"] for n in re.split(r",\s", p.name.rstrip(","))]
    found = []
    if not re.search(r"[.:]$", " ".join(parsed["Summary"])):
        found.append("the first paragraph is no sentence")
    if named and set(named) != set(names):
        found.append(f"it describes {named}")
    if not named and set(names) - ARRAYS:
        found.append(f"it does not describe {names}")
    for section in SECTIONS:
        entries = [f"{p.name} {p.type} {' '.join(p.desc)}" for p in parsed[section]]
        if ">>>" in " ".join(entries):
            found.append(f"an example is part of {section}: give it the heading Examples")
    return found


@pytest.mark.parametrize("thing", PUBLIC)
def test_the_docstring_is_whole(thing):
    names = parameters(thing)
    if not parents_with(names, thing):
        assert not faults(thing, names)


KNOWN = {"forward", "tolist", *mg.__all__}  # what NumPy's are, and functions as methods of Tensor
METHODS = [
    pytest.param(method, id=f"{thing.__qualname__}.{name}")
    for module in api.public().values()
    for thing in module.values()
    if inspect.isclass(thing)
    for name, method in vars(thing).items()
    if inspect.isfunction(method) and not name.startswith("_") and name not in KNOWN
]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_says_what_it_does(method):
    text = inspect.getdoc(method) or ""
    parsed = docscrape.NumpyDocString(text)
    assert parsed["Summary"]
    named = [n.strip() for p in parsed["Parameters"] for n in p.name.split(",")]
    assert not named or {"self", *named} == set(parameters(method))


def wrong(a, axis):
    """Something.

    Parameters
    ----------
    a : array
    axes : int

    >>> 1
    1
    """


def test_a_wrong_docstring_would_be_noticed():
    unnamed, example = faults(wrong, ["a", "axis"])
    assert "axes" in unnamed and "Examples" in example
    assert faults(len, ["axis"]) == ["it does not describe ['axis']"]
    assert faults(lambda: 0, []) == ["the first paragraph is no sentence"]
    with pytest.warns(UserWarning, match="Unknown section"):
        docscrape.NumpyDocString("Words.\n\nParams\n------\na : int\n")
