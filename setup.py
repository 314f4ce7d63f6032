"""Builds the optional compiled kernels, `minigrad/native/kernels.c`, where there is a C compiler.

They are plain shared libraries, one for each instruction set, which Python loads through ctypes:
nothing of Python's own is compiled in. Where one cannot be built the package works without it.
Everything else about the package is in pyproject.toml.
"""

import platform
import zlib
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

SOURCE = Path("minigrad/native/kernels.c")
FLAGS = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]
SETS = {"baseline": []}
if platform.machine() in ("x86_64", "AMD64"):
    SETS["avx2"] = ["-mavx2", "-mfma"]
    SETS["avx512"] = ["-mavx512f", "-mavx512vl", "-mfma"]


class Libraries(build_ext):
    """Shared libraries instead of modules: their names have no version of Python in them."""

    def get_ext_filename(self, name):
        return name.replace(".", "/") + ".so"

    def get_export_symbols(self, ext):  # Windows would look for PyInit_...
        return ext.export_symbols


class Wheel(bdist_wheel):
    """A wheel for every Python on this kind of machine."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


# The library says which text it was made from, so that an old one is not used with new Python code.
version = ("SOURCE", f"{zlib.crc32(SOURCE.read_bytes())}u")
setup(
    ext_modules=[
        Extension(
            f"minigrad.native.kernels-{name}",
            [str(SOURCE)],
            define_macros=[version],
            extra_compile_args=FLAGS + flags,
            optional=True,
        )
        for name, flags in SETS.items()
    ],
    cmdclass={"build_ext": Libraries, "bdist_wheel": Wheel},
)
