"""Exports models to ONNX, LiteRT and SavedModel."""
