"""SQL underneath the storage: statements compiled once, one small Transaction, the SQLite engine, the migration runner.

Only ``sqlite_connection`` imports the driver. Everything above speaks to the protocols of ``transaction``.
"""
