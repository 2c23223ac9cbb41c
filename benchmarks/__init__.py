"""Timings of the main operations, beside the npm toolbox in the same run: ``python -m benchmarks --help``."""
