from __future__ import annotations

from pathlib import Path

import pytest
from monitor_world import MonitorWorld


@pytest.fixture
def world(tmp_path: Path) -> MonitorWorld:
    return MonitorWorld(tmp_path)
