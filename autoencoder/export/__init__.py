"""Models for other programs: ONNX files of fitted estimators, weights as safetensors."""

from .files import FORMATS, format_of, save
from .models import PARTS, save_onnx, to_onnx

__all__ = ["FORMATS", "PARTS", "format_of", "save", "save_onnx", "to_onnx"]
