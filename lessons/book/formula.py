"""A formula as the lessons write it, in plain characters, as MathML, which browsers draw unaided.

    w <- w - lr m' / (sqrt(v') + epsilon)

The words are those of Python, with ``^`` beside ``**``, products without a sign, ``<-``, ``<a, b>``
and ``sum over i, j of ...``. What cannot be read so stays as it was written.
"""

import re
from html import escape

_GREEK = set(["alpha", "beta", "gamma", "delta", "epsilon", "lambda", "mu", "sigma"])
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z]\w*'*)"
    r"|(?P<sign><-|->|\+=|\*\*|[-+*/@^=(),\[\]<>:]))"
)
_RELATIONS = {"=": "=", "<-": "&larr;", "+=": "+=", "->": "&rarr;"}
_SPACE = '<mspace width="0.3em"></mspace>'


class Unreadable(ValueError):
    """This is not a formula, but words or something else."""


def formula(text):
    """The lines of `text` as MathML, or None if one of them cannot be read."""
    lines = []
    for line in text.splitlines():
        pieces = re.split(r"\s{3,}", line.strip())
        try:
            drawn = [k == 0 or _is_formula(piece) for k, piece in enumerate(pieces)]
            parts = [_math(p) if d else _words(p) for p, d in zip(pieces, drawn, strict=True)]
        except Unreadable:
            return None
        lines.append(f'<div class="formula">{"".join(parts)}</div>')
    return "\n".join(lines)


def _is_formula(piece):
    return any(sign in piece for sign in ("=", "<-"))


def _words(piece):
    return f"<span>{escape(piece)}</span>"


def _math(piece):
    tokens, at = [], 0
    while at < len(piece.rstrip()):
        match = _TOKEN.match(piece, at)
        if not match:
            raise Unreadable(piece)
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    reader = _Reader(tokens)
    body = reader.relation()
    if reader.at < len(tokens):
        raise Unreadable(piece)
    return f'<math displaystyle="true">{_row(body)}</math>'


def _row(inner):
    return f"<mrow>{inner}</mrow>"


def _sign(sign):
    return f"<mo>{sign}</mo>"


def _name(name):
    """A variable: Greek letters by name, digits behind and what follows _ as an index."""
    primes = name.count("'")
    base, _, index = name.rstrip("'").partition("_")
    digits = re.fullmatch(r"([A-Za-z]+)(\d+)", base)
    if digits and not index and (digits[1] in _GREEK or digits[1] == "log"):
        base, index = digits[1], digits[2]
    text = f"<mi>{f'&{base};' if base in _GREEK else base}</mi>"
    text = f"<msub>{text}<mi>{index}</mi></msub>" if index else text
    return f"<msup>{text}<mo>{'&prime;' * primes}</mo></msup>" if primes else text


class _Reader:
    """One method for each level of precedence; each returns MathML, and `bare` is the last value
    without its parentheses, which a fraction does not need."""

    def __init__(self, tokens):
        self.tokens, self.at = tokens, 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else (None, None)

    def take(self, wanted=None):
        kind, text = self.peek()
        if kind is None or (wanted and text != wanted):
            raise Unreadable(f"{text} in the place of {wanted}")
        self.at += 1
        return text

    def relation(self):
        left = self.addition()
        while self.peek()[1] in _RELATIONS:
            left += _sign(_RELATIONS[self.take()]) + self.addition()
        return left

    def addition(self):
        text = ""
        if self.peek()[1] == "-":
            self.take()
            text = _sign("&minus;")
        text += self.product()
        while self.peek()[1] in ("+", "-"):
            text += _sign({"+": "+", "-": "&minus;"}[self.take()]) + self.product()
        return text

    def product(self):
        text, bare, wide = self.power()
        while True:
            kind, sign = self.peek()
            if sign in ("*", "@"):
                self.take()
                right, _, wide = self.power()
                text = bare = text + (_sign("&sdot;") if sign == "*" else _SPACE) + right
            elif sign == "/":
                self.take()
                text = bare = f"<mfrac>{_row(bare)}{_row(self.power()[1])}</mfrac>"
                wide = False
            elif kind in ("name", "number") or sign in ("(", "<"):
                right, _, wide_too = self.power()
                text = bare = text + (_SPACE if wide or wide_too or sign == "(" else "") + right
                wide = wide_too
            else:
                return text

    def power(self):
        """(MathML, the same without parentheses, whether it is a word)."""
        text, bare, wide = self.primary()
        if self.peek()[1] in ("**", "^"):
            self.take()
            text = bare = f"<msup>{_row(text)}{_row(self.primary()[1])}</msup>"
        return text, bare, wide

    def primary(self):
        kind, text = self.peek()
        if kind == "number":
            return (f"<mn>{self.take()}</mn>",) * 2 + (False,)
        if text == "(":
            inner = self.enclosed("(", ")")
            return _sign("(") + _row(inner) + _sign(")"), inner, False
        if text == "<":
            inner = _sign("&lang;") + _row(self.enclosed("<", ">")) + _sign("&rang;")
            return inner, inner, False
        if text == "sum" and self.tokens[self.at + 1 : self.at + 2] == [("name", "over")]:
            inner = self.sum()
            return inner, inner, True
        if kind != "name":
            raise Unreadable(text)
        name = self.take()
        if self.peek()[1] == "(" and (len(name) > 1 or name == "f"):
            argument = self.enclosed("(", ")")
            if name == "sqrt":
                inner = f"<msqrt>{_row(argument)}</msqrt>"
            else:
                inner = _name(name) + _sign("(") + _row(argument) + _sign(")")
            return inner, inner, True
        if self.peek()[1] == "[":
            inner = f"<msub>{_name(name)}{_row(self.enclosed('[', ']'))}</msub>"
            return inner, inner, False
        return _name(name), _name(name), len(name.rstrip("'")) > 1 and name not in _GREEK

    def enclosed(self, opening, closing):
        """The list between two brackets."""
        self.take(opening)
        text = self.item()
        while self.peek()[1] == ",":
            text += _sign(self.take()) + self.item()
        self.take(closing)
        return text

    def item(self):
        return _sign(self.take()) if self.peek()[1] == ":" else self.addition()

    def sum(self):
        self.take("sum")
        self.take("over")
        below = []
        while self.peek()[1] != "of":
            below.append(self.take())
        self.take("of")
        under = "".join(
            _sign(x) if x in (",", ":") else f"<mi>{escape(x)}</mi>{_SPACE}" for x in below
        )
        return f"<munder>{_sign('&sum;')}{_row(under)}</munder>{self.product()}"
