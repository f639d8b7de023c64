# SPDX-License-Identifier: Apache-2.0
"""Runs clients/pycti_connector.py, a connector built on the platform's own library, as a process of its own."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.program import DEADLINE

CLIENT = Path(__file__).resolve().parents[1] / "clients" / "pycti_connector.py"


def pycti_connector(environment: dict[str, str], count: int) -> list[dict[str, Any]]:
    """Runs it until it has seen `count` events; the steps it told."""
    done = subprocess.run(
        [sys.executable, str(CLIENT), str(count)], env=environment, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
