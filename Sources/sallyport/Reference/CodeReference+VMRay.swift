// SPDX-License-Identifier: Apache-2.0

extension CodeReference {
    static let vmray = Area(
        title: "VMRay",
        introduction: "A sample whose look-up, submission or report ends so is tried again in the next run.",
        codes: [
            .init(
                "vmray.unauthorized", "VMRay refuses the key (401, 405).", "Check VMRAY_API_KEY and VMRAY_URL."),
            .init(
                "vmray.forbidden", "The key may not do this; a verdict key may read no report (403).",
                "Use a key of type REPORT, or set VMRAY_API_KEY_TYPE to VERDICT."),
            .init("vmray.not_found", "VMRay does not know the sample, submission or analysis (404)."),
            .init("vmray.rate_limit", "VMRay answered 429 six times within a minute.", "The next run tries again."),
            .init(
                "vmray.quota", "The submission quota is spent: nothing more is submitted in this run.",
                "Wait for the next period, or ask VMRay for a larger quota."),
            .init("vmray.unavailable", "VMRay answers 5xx.", "Wait; look at VMRay's status."),
            .init("vmray.unreachable", "VMRay can't be reached.", "Check VMRAY_URL, the proxy and the firewall."),
            .init("vmray.refused", "VMRay refuses the call for another reason, which it names."),
            .init(
                "vmray.malformed", "The answer is not what the call answers.",
                "Look at what stands in front of VMRay."),
            .init("vmray.content", "The sample could not be read while it was sent."),
            .init("vmray.configuration", "The key, the name or the URL can't be sent as it is.", "Correct it."),
            .init("vmray.cancelled", "The process stopped during a call."),
            .init(
                "sample.integrity",
                "Falcon's archive does not hold the sample alone, encrypted, under its name and with its SHA-256.",
                "Nothing was submitted. Look whether a proxy changes downloads."),
            .init(
                "sample.too_large", "The sample declares, or unpacks to, more than VMRAY_MAX_SAMPLE_SIZE.",
                "Raise it if VMRay takes such files; then `sallyport triage SHA256`."),
            .init(
                "sample.bomb", "The sample's archive unpacks to more than a thousand times its size, as zip bombs do.",
                "Nothing was submitted. Look at the file on its host."),
            .init(
                "sample.spool", "The encrypted archive could not be kept while the sample was checked.",
                "Look at VMRAY_DOWNLOAD_DIR: permissions and free space."),
            .init(
                "triage.download_failed", "Falcon gave no copy of the sample, three runs in a row.",
                "Look whether the sensor has uploaded it; then `sallyport dlq retry`."),
            .init(
                "triage.integrity_failed",
                "What Falcon gave was not the sample, three runs in a row. It was not submitted.",
                "Look whether a proxy changes downloads; then `sallyport dlq retry`."),
            .init(
                "triage.too_large", "The sample is larger than VMRAY_MAX_SAMPLE_SIZE, or its archive is a zip bomb.",
                "Raise it if VMRay takes such files; then `sallyport dlq retry`."),
            .init(
                "triage.submit_failed", "VMRay did not take the sample, three runs in a row.",
                "`sallyport explain SHA256` shows its reason."),
            .init(
                "triage.analysis_timeout", "The analysis did not end, three times in VMRAY_ANALYSIS_JOB_TIMEOUT.",
                "Look at the submission in VMRay; `sallyport dlq retry` waits for the same one again."),
            .init(
                "triage.no_sample_after_analysis", "VMRay showed no result although the submission had ended.",
                "Look at the submission in VMRay; `sallyport dlq retry` begins anew."),
            .init(
                "triage.look_up_failed", "VMRay could not be asked about the sample, three runs in a row.",
                "Look at the log for its answers; then `sallyport dlq retry`."),
            .init(
                "triage.not_taken_up", "Nobody who holds the state has taken the sample of `sallyport triage` up.",
                "Wait for the end of a single run; look whether the service runs the connector, and at its log."),
            .init(
                "triage.not_begun", "The service could not read the sample's alerts and files.",
                "Look at the reason it gives, and at the service's log."),
            .init(
                "triage.left", "The service stopped before the sample came to its end.",
                "It goes on at the next start; ask again then."),
            .init(
                "triage.effects_failed",
                "The verdict stands, but Falcon could not be told everything, three runs in a row.",
                "`sallyport explain SHA256` shows what is open and why; then `sallyport dlq retry`."),
        ])
}
