"""Compression: codes quantised, entropy coded and read back, measured in real bytes."""
