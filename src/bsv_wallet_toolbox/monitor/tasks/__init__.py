"""The monitor's tasks, one module each."""
