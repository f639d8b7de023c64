# SPDX-License-Identifier: Apache-2.0
"""What the Python original does for new samples, by the same two libraries and one call after the other: every sample is
downloaded, unpacked and submitted, then all are polled, then reported. It polls every second, where the original waits a
minute, and it neither asks for indicators nor makes any.

Usage: baseline_triage.py FALCON VMRAY. Prints samples per second.
"""
import io
import sys
import time
import zipfile

from falconpy import Alerts, OAuth2, SampleUploads
from vmray.rest_api import VMRayRESTAPI

falcon, url = sys.argv[1:3]
auth = OAuth2(
    client_id="ed578da6b8d84d1e9312e833e493773a", client_secret="Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz",
    base_url=falcon)
alerts, samples = Alerts(auth_object=auth), SampleUploads(auth_object=auth)
vmray = VMRayRESTAPI(url, "vmray-key-EXAMPLE")
started = time.monotonic()
found = alerts.get_alerts_combined(body={"filter": "product:'epp'", "limit": 1000})["body"]["resources"]
hashes = {alert["sha256"]: alert["composite_id"] for alert in found}
waiting = {}
for sha256 in hashes:
    assert vmray.call("GET", f"/rest/sample/sha256/{sha256}") == []
    with zipfile.ZipFile(io.BytesIO(samples.get_sample(ids=sha256, password_protected=True))) as archive:
        file = io.BytesIO(archive.read(sha256, pwd=b"infected"))
    file.name = sha256
    answer = vmray.call("POST", "/rest/sample/submit", params={
        "sample_file": file, "tags": "CrowdStrike", "user_config": '{"timeout": 120}',
        "analyzer_mode": "reputation_static_dynamic"})
    waiting[answer["submissions"][0]["submission_id"]] = sha256
while waiting:
    time.sleep(1)
    for submission in list(waiting):
        vmray.call("GET", f"/rest/analysis/submission/{submission}")
        if not vmray.call("GET", f"/rest/submission/{submission}")["submission_finished"]:
            continue
        sha256 = waiting.pop(submission)
        [sample] = vmray.call("GET", f"/rest/sample/sha256/{sha256}")
        answer = alerts.update_alerts_v3(
            composite_ids=[hashes[sha256]], append_comment=f"VMRay verdict: {sample['sample_verdict']}",
            update_status="closed")
        assert answer["status_code"] == 200, answer
print(len(hashes) / (time.monotonic() - started), flush=True)
