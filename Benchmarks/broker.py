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
# Not by sigwait: signals that are not blocked end the process before it is told, and a blocked mask would be RabbitMQ's too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
# Whoever started this may have had it blocked, and a blocked mask is inherited.
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
try:
    while True:
        signal.pause()
finally:
    broker.end()
