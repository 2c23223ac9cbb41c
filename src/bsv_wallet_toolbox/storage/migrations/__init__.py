"""The numbered steps that bring a file to the current schema; each is one transaction.

Before a step is added, a file of the version that it ends is kept: see ``tests/storage/upgrade_past.py``.
"""

from __future__ import annotations

from bsv_wallet_toolbox.database.migrations import Migration
from bsv_wallet_toolbox.storage.migrations.m0001_initial import create_initial_schema
from bsv_wallet_toolbox.storage.migrations.m0002_pending import create_pending

__all__ = ["MIGRATIONS"]

MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "initial schema", create_initial_schema),
    Migration(2, "pending actions", create_pending),
)
