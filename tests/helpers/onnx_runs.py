"""Running ONNX models, by the runtime that most people use."""

import pytest

pytest.importorskip("onnx", reason="ONNX, which writes the files, is not installed")
ort = pytest.importorskip("onnxruntime", reason="onnxruntime, which reads ONNX, is not installed")


def run(model, **inputs):
    """The outputs of an ONNX model, or of the file at a path, by name."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    source = model.SerializeToString() if hasattr(model, "SerializeToString") else str(model)
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))
