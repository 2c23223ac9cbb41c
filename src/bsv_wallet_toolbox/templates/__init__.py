"""Locking and unlocking scripts that the wallet knows how to make and to spend."""
