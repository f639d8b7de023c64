# SPDX-License-Identifier: Apache-2.0
"""Starts a RabbitMQ of its own in the folder given, prints its port, and ends it when told to (SIGTERM)."""
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests" / "EndToEnd"))

from support.broker import Broker  # noqa: E402

broker = Broker(Path(sys.argv[1]))
broker.start()
print(broker.port, flush=True)
try:
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
finally:
    broker.end()
