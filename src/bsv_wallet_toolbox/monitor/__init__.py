"""Background work on a store: sending, proofs, reorganisations, abandoned actions, held coins."""

from __future__ import annotations

from bsv_wallet_toolbox.monitor.monitor import Monitor, TaskHealth
from bsv_wallet_toolbox.monitor.options import MonitorOptions
from bsv_wallet_toolbox.monitor.tasks.task import MonitorTask, TaskRun

__all__ = ["Monitor", "MonitorOptions", "MonitorTask", "TaskHealth", "TaskRun"]
