"""Generated grey faces: an offline stand-in for the Olivetti faces whose every cause is known.

A face is a table row of named factors: some belong to the person (shape of the head, hair, nose),
some to the one picture (turn of the head, light, smile). `face_factors` draws the table,
`draw_faces` turns rows into pictures without any further chance, so a picture is an exact function
of its row. The head is half an ellipsoid: turning the head turns the ellipsoid and everything
painted on it, and the light falls on its surface.
"""

from __future__ import annotations

from numbers import Integral

import numpy as np

from minigrad.backend import Array

from ..checks import check_whole

# factor: (lowest, highest), drawn uniformly. Lengths on the face are in units of the head's half
# width (sideways) and half height (downwards); tones run from 0 (black) to 1 (white).
PERSON_FACTORS = {
    "head_width": (0.65, 0.79),
    "head_height": (0.86, 0.96),
    "jaw": (0.00, 0.24),  # how much narrower the chin is than the cheekbones
    "skin": (0.55, 0.87),
    "hair": (0.06, 0.42),
    "hairline": (-0.86, -0.56),  # where the forehead ends
    "hair_part": (-0.6, 0.6),  # which side the hair falls to
    "hair_volume": (0.08, 0.24),  # beyond the head
    "hair_length": (-0.25, 0.25),
    "brow_height": (0.19, 0.25),  # above the eyes
    "brow_thickness": (0.022, 0.052),
    "brow_slope": (-0.12, 0.12),
    "eye_spacing": (0.37, 0.45),
    "eye_height": (-0.20, -0.09),
    "eye_width": (0.155, 0.205),
    "iris": (0.10, 0.40),
    "nose_length": (0.32, 0.43),
    "nose_width": (0.13, 0.21),
    "mouth_height": (0.49, 0.58),
    "mouth_width": (0.28, 0.40),
    "lips": (0.045, 0.085),
    "clothes": (0.08, 0.75),
    "background": (0.18, 0.55),
}
# Things that some people have and others do not: (share of people, lowest, highest).
PERSON_TRAITS = {
    "long_hair": (0.30, 1.0, 1.0),
    "grey_hair": (0.15, 0.30, 0.45),  # added to the tone of the hair
    "bald": (0.10, 1.0, 1.0),
    "moustache": (0.30, 0.6, 1.0),
    "beard": (0.22, 0.5, 0.95),
    "owns_glasses": (0.33, 1.0, 1.0),
    "frame": (1.0, 0.05, 0.35),  # tone of the glasses' frame
}
VARIATION_FACTORS = {
    "turn": (-0.38, 0.38),  # radians, positive to the viewer's right
    "nod": (-0.16, 0.16),  # radians, positive downwards
    "roll": (-0.08, 0.08),  # radians, in the plane of the picture
    "shift_x": (-0.05, 0.05),
    "shift_y": (-0.05, 0.05),
    "light_x": (-0.75, 0.75),
    "light_y": (-0.70, -0.10),
    "light": (0.92, 1.08),
    "smile": (-0.35, 1.0),
    "mouth_open": (-0.6, 1.0),  # shut below zero
    "eye_open": (0.45, 1.10),
    "brow_raise": (-0.02, 0.05),
    "gaze": (-0.05, 0.05),
}


def face_factors(people: int = 40, variations: int = 10, seed: int = 0) -> dict[str, Array]:
    """Draw the table of factors for `people` x `variations` faces, in shuffled order.

    Returns a dict of arrays of shape (people * variations,): "person" (int) and one float32 array
    for each factor. Rows of one person differ in pose, light, expression and glasses only.

    Parameters
    ----------
    people, variations : int, default=40, 10
    seed : int, default=0

    Returns
    -------
    dict of arrays

    Raises
    ------
    ValueError
        When people or variations is below one.

    Examples
    --------
    >>> factors = face_factors(people=3, variations=2, seed=1)
    >>> sorted(factors["person"].tolist())
    [0, 0, 1, 1, 2, 2]
    """
    if not all(isinstance(n, Integral) and n >= 1 for n in (people, variations)):
        raise ValueError(
            f"Generated faces need at least one person and one variation, "
            f"but people={people} and variations={variations} were asked for"
        )
    check_whole("Generated faces: seed", seed, 0)
    people, variations = int(people), int(variations)
    if people * variations >= 2**31:
        raise ValueError(
            f"Generated faces: {people * variations} of them are more than anybody has"
        )
    rng = np.random.default_rng(seed)
    count = people * variations
    table = {"person": np.repeat(np.arange(people), variations)}  # (count,)
    for name, (low, high) in PERSON_FACTORS.items():
        table[name] = np.repeat(rng.uniform(low, high, people), variations)
    for name, (share, low, high) in PERSON_TRAITS.items():
        has = rng.random(people) < share
        table[name] = np.repeat(has * rng.uniform(low, high, people), variations)
    # Nobody in this town has long hair and a beard: it keeps the two kinds of face apart.
    for name in ("bald", "moustache", "beard"):
        table[name] = table[name] * (1 - table["long_hair"])
    for name, (low, high) in VARIATION_FACTORS.items():
        table[name] = rng.uniform(low, high, count)
    table["glasses"] = table.pop("owns_glasses") * (rng.random(count) < 0.7)
    order = rng.permutation(count)
    return {
        name: column[order] if name == "person" else column[order].astype(np.float32)
        for name, column in table.items()
    }


def draw_faces(factors: dict[str, Array], size: int = 64) -> Array:
    """Draw one picture for each row of `factors`: (N, size, size, 1) float32 in [0, 1].

    `factors` is what `face_factors` returns, or a changed copy of it: the way to see what one
    factor does.

    Parameters
    ----------
    factors : dict of arrays (N,)
    size : int, default=64

    Returns
    -------
    array (N, size, size, 1)

    Raises
    ------
    KeyError
        When a factor is missing.
    ValueError
        When size is below 8.

    Examples
    --------
    >>> draw_faces(face_factors(people=2, variations=1), size=16).shape
    (2, 16, 16, 1)
    """
    if not isinstance(size, Integral) or size < 8:
        raise ValueError(f"Generated faces need at least 8 pixels a side, but size={size}")
    size = int(size)
    count = len(factors["person"])
    images = np.empty((count, size, size, 1), np.float32)
    # A few pictures at a time, so that the work stays inside the processor's cache.
    for start in range(0, count, 8):
        part = slice(start, start + 8)
        columns = {name: column[part, None, None] for name, column in factors.items()}
        images[part, :, :, 0] = _draw(columns, size)
    return images


def _cover(distance, edge):
    """How much of a pixel a shape covers: 1 inside (distance < 0), 0 outside, smooth between."""
    t = np.clip(0.5 - distance / (2 * edge), 0, 1)
    return t * t * (3 - 2 * t)


def _ellipse(x, y, centre_x, centre_y, radius_x, radius_y):
    """Distance to an ellipse, close enough near its edge; negative inside."""
    away = np.sqrt(((x - centre_x) / radius_x) ** 2 + ((y - centre_y) / radius_y) ** 2)
    return (away - 1) * np.minimum(radius_x, radius_y)


def _stroke(x, y, centre_x, centre_y, half_width, thickness, slope=0.0, bend=0.0):
    """Distance to a bent brush stroke that is thickest in the middle and pointed at both ends."""
    t = (x - centre_x) / half_width
    middle = centre_y + slope * (x - centre_x) + bend * t * t
    return np.abs(y - middle) - thickness * np.maximum(1 - t * t, -4)


def _blob(x, y, centre_x, centre_y, radius_x, radius_y):
    """A soft spot: 1 at the centre, fading like a bell curve."""
    return np.exp(-(((x - centre_x) / radius_x) ** 2) - ((y - centre_y) / radius_y) ** 2)


def _paint(image, amount, tone):
    """Lay `tone` over `image` where `amount` is 1, leave it where `amount` is 0."""
    return image + amount * (tone - image)


def _draw(f, size):
    """Draw a chunk: every value of `f` is (n, 1, 1), the pictures are (n, size, size)."""
    steps = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    edge = 1.3 / size  # half the width of an edge: a little softer than one pixel
    soft = edge / 0.7  # the same on the head, whose half width is about 0.7
    x = steps[None, None, :] - f["shift_x"]
    y = steps[None, :, None] - f["shift_y"] - 0.10
    cos, sin = np.cos(f["roll"]), np.sin(f["roll"])
    x, y = cos * x + sin * y, cos * y - sin * x  # (n, size, size), the head's own upright

    # The head: u, v on its outline, z towards the viewer; a, b the same point when it faces us.
    v = y / f["head_height"]
    chin = np.clip(v + 0.1, 0, 1.2)
    u = x / (f["head_width"] * (1 - f["jaw"] * chin * chin))
    # A power a little above two makes the outline squarer than an egg.
    radius = (np.abs(u) ** 2.3 + np.abs(v) ** 2.3) ** (1 / 2.3)
    outside = radius - 1  # in head units, negative inside
    z = np.sqrt(np.maximum(1 - radius * radius, 0))
    a = u * np.cos(f["turn"]) - 0.85 * z * np.sin(f["turn"])
    b = v * np.cos(f["nod"]) - 0.6 * z * np.sin(f["nod"])
    side = np.abs(a)  # both eyes at once: the face is its own mirror image

    hair = np.minimum(f["hair"] + f["grey_hair"], f["skin"] - 0.1)
    skin = f["skin"]
    light = _light(f, u, v, z, a, b)

    # Behind the head: wall, hair, neck, clothes.
    image = f["background"] * (1.1 - 0.15 * steps[None, :, None]) + 0 * x
    # Long hair ends at the shoulders, short hair thins out beside the ears.
    hair_end = np.where(f["long_hair"] > 0, 1.0, f["hair_length"])
    thickness = np.clip(1.6 * (hair_end - v), 0, 1)
    volume = f["hair_volume"] * (1 - f["bald"]) - 0.06 * f["bald"]
    around = (np.abs(u + 0.12 * f["turn"]) ** 2.4 + np.abs(v + 0.08) ** 2.4) ** (1 / 2.4)
    behind_hair = around - 0.94 - (volume + 0.06) * thickness
    sheen = hair * (0.95 + 0.22 * np.sin(9 * a + 5 * f["hair_part"]) * np.exp(-((v + 0.9) ** 2)))
    image = _paint(image, _cover(behind_hair, 2 * soft), 0.8 * sheen)
    neck = np.maximum(np.abs(x) - 0.62 * f["head_width"], 0.5 - y)
    image = _paint(image, _cover(neck, 2 * edge), skin * (0.58 + 0.1 * f["light_x"] * u))
    shirt = _ellipse(x, y, 0.0, 1.5, 1.2, 0.82)
    image = _paint(image, _cover(shirt, 2 * edge), f["clothes"])
    ear = _ellipse(np.abs(u + 0.1 * f["turn"]), v, 1.0, -0.02 - 0.3 * f["nod"], 0.10, 0.17)
    ear_seen = _cover(ear, soft) * (1 - f["long_hair"])
    image = _paint(image, ear_seen, skin * (0.72 + 0.14 * f["light_x"] * np.sign(u)))

    # The head itself, then what is painted on it.
    face = skin * light
    face = _features(f, face, a, b, side, soft, hair, light)
    image = _paint(image, _cover(0.7 * outside, edge), face)

    # Hair over the forehead, falling to one side of the parting, and down the temples.
    fall = f["hairline"] - 0.6 * f["bald"] + 0.16 * (a - f["hair_part"]) ** 2
    fall = fall + 0.5 * np.maximum(side - 0.62, 0) + 0.02 * np.sin(9 * a + 20 * f["hair_part"])
    fringe = b - fall
    short_end, long_end = 0.92 + 0.25 * (b + 0.35), 0.86 - 0.05 * np.cos(3 * b)
    temples = np.where(f["long_hair"] > 0, long_end, np.maximum(short_end, 0.86)) - side
    temples = np.maximum(temples, 0.5 * (b - np.where(f["long_hair"] > 0, 0.75, 0.1)))
    cap = np.maximum(np.minimum(fringe, temples), outside - volume)
    image = _paint(image, _cover(cap, 2 * soft), sheen * (0.55 + 0.5 * light))

    image = _glasses(f, image, a, b, side, u, soft)
    return np.clip(image * f["light"], 0, 1)


def _light(f, u, v, z, a, b):
    """Light that reaches the head: half from everywhere, half from the lamp."""
    # The ridge of the nose and the cheekbones tilt the surface of the smooth ellipsoid.
    tip = f["eye_height"] + f["nose_length"]
    along = np.clip((b - f["eye_height"]) / f["nose_length"], 0, 1)
    width = f["nose_width"] * (0.45 + 0.55 * along)
    ridge = along * np.exp(-((a / width) ** 2)) * (b < tip + 0.3)
    ridge = ridge * np.exp(-((np.maximum(b - tip, 0) / 0.06) ** 2))
    cheek = _blob(np.abs(a), b, 0.50, 0.18, 0.26, 0.22)
    normal_x = 0.9 * u + 0.9 * ridge * a / width + 0.35 * cheek * (a - 0.5 * np.sign(a))
    normal_y = 0.8 * v + 0.5 * cheek * (b - 0.18) - 0.25 * _blob(a, b, 0, 0.83, 0.22, 0.14)
    length = np.sqrt(normal_x**2 + normal_y**2 + (0.25 + z) ** 2)
    lamp = np.sqrt(f["light_x"] ** 2 + f["light_y"] ** 2 + 1)
    facing = normal_x * f["light_x"] + normal_y * f["light_y"] + 0.25 + z
    return 0.42 + 0.66 * np.maximum(facing / (length * lamp), 0)


def _features(f, face, a, b, side, soft, hair, light):
    """Paint beard, eyes, brows, nose and mouth on the lit skin."""
    skin = f["skin"] * light
    eye_x, eye_y = f["eye_spacing"], f["eye_height"]
    eye_w = f["eye_width"]
    mouth_y = f["mouth_height"] + 0.02 * f["smile"]
    mouth_w = f["mouth_width"] * (1 + 0.16 * f["smile"])
    smile = -0.085 * f["smile"]  # the corners' height: negative is up
    opening = np.maximum(f["mouth_open"], 0)

    # Soft shadows: eye sockets, under the eyes, beside the nose, under the lip; a smile's folds.
    shadow = 0.26 * _blob(side, b, eye_x - 0.06, eye_y - 0.07, 0.22, 0.12)
    shadow = shadow + 0.12 * _blob(side, b, eye_x, eye_y + 0.13, 0.16, 0.05)
    shadow = shadow + 0.16 * _blob(a, b, 0.0, mouth_y + 0.17 + 0.12 * opening, 0.17, 0.05)
    fold = side - f["nose_width"] - 0.10 - 0.9 * (b - 0.22)
    fold = np.exp(-((fold / 0.05) ** 2) - ((b - 0.36) / 0.10) ** 2)
    shadow = shadow + (0.04 + 0.14 * np.maximum(f["smile"], 0)) * fold
    face = face * (1 - shadow)

    # Beard along the jaw, moustache under the nose, both leaving the mouth free.
    jaw = _cover(mouth_y + 0.13 + 0.1 * opening - 0.75 * side**2 - b, 0.10)
    face = _paint(face, f["beard"] * jaw, hair * (0.6 + 0.5 * light))
    lip_top = mouth_y - 0.13
    moustache = _stroke(a, b, 0.0, lip_top, 1.05 * mouth_w, 0.075, bend=0.13 + 0.5 * smile)
    face = _paint(face, f["moustache"] * _cover(moustache, 2 * soft), hair * (0.6 + 0.5 * light))

    # Eyes: white, iris, pupil, a spark, then the lids.
    height = 0.078 * f["eye_open"]
    almond = _stroke(side, b, eye_x, eye_y, eye_w, height, slope=-0.06)
    inside = _cover(almond, soft)
    iris_x = eye_x + f["gaze"] * np.sign(a)
    iris = _ellipse(side, b, iris_x, eye_y - 0.005, 0.082, 0.072)
    eye = 0.85 * (0.55 + 0.45 * light)
    eye = _paint(eye, _cover(iris, soft), f["iris"])
    eye = _paint(eye, _cover(iris + 0.042, soft), 0.03)
    spark = _ellipse(side, b, iris_x - 0.03 * np.sign(a), eye_y - 0.03, 0.022, 0.02)
    eye = _paint(eye, 0.8 * _cover(spark, soft), 1.0)
    face = _paint(face, inside, eye)
    lid = _stroke(side, b, eye_x, eye_y - height, 1.1 * eye_w, 0.026, slope=-0.06, bend=height)
    face = _paint(face, 0.9 * _cover(lid, soft), 0.16 * skin)
    under = _stroke(side, b, eye_x, eye_y + height, eye_w, 0.012, slope=-0.06, bend=-height)
    face = _paint(face, 0.5 * _cover(under, soft), 0.55 * skin)
    brow_y = eye_y - f["brow_height"] - f["brow_raise"]
    brow = _stroke(side, b, eye_x + 0.02, brow_y, 0.27, f["brow_thickness"], f["brow_slope"], 0.06)
    face = _paint(face, 0.85 * _cover(brow, 1.5 * soft), np.minimum(hair, 0.6 * skin))

    # Nose: shadow under the tip, nostrils, wings, a highlight.
    tip = eye_y + f["nose_length"]
    wide = f["nose_width"]
    face = face * (1 - 0.30 * _blob(a, b, 0.0, tip + 0.065, 1.0 * wide, 0.045))
    nostril = _ellipse(side, b, 0.48 * wide, tip + 0.04, 0.30 * wide, 0.024)
    face = _paint(face, 0.75 * _cover(nostril, soft), 0.22 * skin)
    wing = np.abs(_ellipse(side, b, 0.70 * wide, tip, 0.40 * wide, 0.075)) - 0.004
    face = _paint(face, 0.4 * _cover(wing, soft) * _cover(0.85 * wide - side, 0.03), 0.5 * skin)
    face = face + 0.10 * skin * _blob(a, b, 0.15 * f["light_x"], tip - 0.03, 0.05, 0.05)

    # Mouth: a dark gap with teeth when open, upper and lower lip around it.
    gap = 0.085 * opening
    upper = _stroke(a, b, 0.0, mouth_y - 0.5 * f["lips"] - smile, mouth_w, f["lips"], bend=smile)
    lower_y, bend = mouth_y + gap + 0.75 * f["lips"] - smile, smile - 0.4 * gap
    lower = _stroke(a, b, 0.0, lower_y, 0.86 * mouth_w, 1.15 * f["lips"], bend=bend)
    face = _paint(face, 0.75 * _cover(upper, soft), 0.58 * skin)
    face = _paint(face, 0.70 * _cover(lower, soft), 0.72 * skin)
    middle, thick = mouth_y - smile + 0.5 * gap, 0.014 + 0.75 * gap
    hole = _stroke(a, b, 0.0, middle, 0.92 * mouth_w, thick, bend=smile)
    face = _paint(face, 0.9 * _cover(hole, soft), 0.10)
    teeth = np.maximum(hole + 0.012, b - middle - smile * (a / mouth_w) ** 2)
    face = _paint(face, 0.9 * _cover(teeth, soft) * (opening > 0.25), 0.85 * (0.5 + 0.5 * light))
    return face


def _glasses(f, image, a, b, side, u, soft):
    """Put glasses on the nose of those who wear them now."""
    centre_x, centre_y = f["eye_spacing"] + 0.01, f["eye_height"] + 0.03
    away = np.abs((side - centre_x) / 0.31) ** 3 + np.abs((b - centre_y) / 0.20) ** 3
    lens = (away ** (1 / 3) - 1) * 0.24
    rim = np.abs(lens) - 0.012
    bridge = np.maximum(np.abs(b - centre_y + 0.07 - 0.3 * side**2) - 0.014, side - 0.12)
    temple = np.maximum(np.abs(b - centre_y + 0.08) - 0.014, centre_x + 0.29 - side)
    frame = np.minimum(np.minimum(rim, bridge), np.maximum(temple, np.abs(u) - 0.93))
    glint = 0.10 * _cover(lens, soft) * _blob(side, b, centre_x + 0.1, centre_y - 0.1, 0.16, 0.06)
    image = image + f["glasses"] * glint
    return _paint(image, 0.9 * f["glasses"] * _cover(frame, soft), f["frame"])
