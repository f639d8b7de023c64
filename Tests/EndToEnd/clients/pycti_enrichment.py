# SPDX-License-Identifier: Apache-2.0
"""Asks for an enrichment with pycti, as the platform's own clients do, and reads what came of it.

Usage: pycti_enrichment.py ENTITY CONNECTOR. Prints one JSON line: the work and the observable.
"""
import json
import os
import sys
import time

from pycti import OpenCTIApiClient

entity, connector = sys.argv[1:]
api = OpenCTIApiClient(os.environ["OPENCTI_URL"], os.environ["OPENCTI_TOKEN"], log_level="error")
identity = api.stix_cyber_observable.ask_for_enrichment(id=entity, connector_id=connector)
end = time.monotonic() + 60
while time.monotonic() < end:
    work = api.work.get_work(identity)
    if work["status"] == "complete" and work["processed_time"]:
        break
    time.sleep(0.05)
attributes = "id entity_type observable_value x_opencti_description objectLabel { value }"
print(json.dumps({"work": work, "observable": api.stix_cyber_observable.read(id=entity, customAttributes=attributes)}))
