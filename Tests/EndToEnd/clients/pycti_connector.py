# SPDX-License-Identifier: Apache-2.0
"""A stream connector built on pycti, the platform's own client library, as the originals are.

Usage: pycti_connector.py COUNT. Settings come from the environment, as theirs. Prints one JSON line per step: what the
registration answered, each of COUNT events, and the state it leaves at the platform. It runs as a process of its own
because pycti ends its process whenever the stream fails.
"""
import json
import os
import sys
import threading

from pycti import OpenCTIConnectorHelper

wanted = int(sys.argv[1])
done = threading.Event()
seen = 0


def tell(**line: object) -> None:
    print(json.dumps(line), flush=True)


helper = OpenCTIConnectorHelper({})
tell(step="registered", id=helper.connector_id, state=helper.get_state(), stream=helper.get_stream_collection())


def on_event(message: object) -> None:
    global seen
    if seen >= wanted:
        done.wait()
    tell(step="event", id=message.id, event=message.event, data=json.loads(message.data))
    seen += 1
    if seen == wanted:
        # The library moves its state when the callback returns: from another thread, once that has happened.
        threading.Thread(target=leave, args=(message.id,), daemon=True).start()


def leave(last: str) -> None:
    waiting = threading.Event()
    while (helper.get_state() or {}).get("start_from") != last:
        waiting.wait(0.01)
    helper.force_ping()
    tell(step="state", state=helper.get_state())
    work = helper.api.work.initiate_work(helper.connector_id, "a work")
    helper.api.work.to_received(work, "received")
    helper.api.work.add_expectations(work, 1)
    helper.api.work.report_expectation(work, None)
    helper.api.work.to_processed(work, "done")
    tell(step="work", work=helper.api.work.get_work(work))
    os._exit(0)


if wanted == 0:
    leave((helper.get_state() or {}).get("start_from"))
helper.listen_stream(on_event).join()
