"""Bytes to vocabulary and back. No I/O."""
