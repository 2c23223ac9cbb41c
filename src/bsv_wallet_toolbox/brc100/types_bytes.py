"""The binary value of BRC-100 arguments."""

from __future__ import annotations

__all__ = ["ByteArray"]

ByteArray = bytes | list[int]
"""Bytes, or the list of numbers 0..255 that stands for them in JSON."""
