"""export: a model for other programs, in a file of its own."""

from pathlib import Path

from ..detector import load
from ..export import save, save_onnx
from ..runs import open_run
from ..runs.files import own
from . import files

ENDINGS = {"onnx": ".onnx", "safetensors": ".safetensors", "pytorch": ".safetensors"}


def export(options):
    """Write the model of a run, or of a model.npz, in another format."""
    path = Path(options.path)
    model = load(path) if path.is_file() else open_run(path).estimator
    given = path if path.is_file() else path / "model.npz"
    default = given.with_suffix("." + options.to if options.to == "pytorch" else "")
    output = Path(options.output or f"{default}{ENDINGS[options.to]}")
    output = files.check_output(output, (ENDINGS[options.to],), given)
    if options.to != "onnx" and (options.part != "all" or options.dtype):
        raise ValueError("--part and --dtype are for --to onnx: the others hold all weights")
    inside = not path.is_file() and output.parent.resolve() == path.resolve()
    try:
        if inside:
            with files.writes_into(path):
                _write(model, own(output), options)
        else:
            _write(model, output, options)
    except ImportError as error:
        raise RuntimeError(str(error)) from None
    print(output)


def _write(model, path, options):
    with files.written(path):
        if options.to == "onnx":
            save_onnx(model, path, options.part, options.dtype)
        else:
            save(model, path, options.to)
