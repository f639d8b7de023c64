// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import Settings
import VMRay

/// What an operator can say: the original's names, misspelt ones too, and those that are new.
///
/// A key is the original's section and name; the variable is ours. Source: VMRay, 7.
enum TriageSettings {
    // MARK: Connections

    static let baseURL = FalconSettings.baseURL.defaulting(to: "https://api.us-2.crowdstrike.com")
        .or("crowdstrike.base_url")
    static let falcon: [any AnySetting] = [
        baseURL, FalconSettings.clientID, FalconSettings.clientSecret, FalconSettings.memberCID,
        FalconSettings.verification, FalconSettings.requestsPerMinute,
    ]

    static let apiKey = Setting<Secret>("vmray.api_key", "API key of VMRay (Analysis Settings › API Keys).")
        .at(.connection("vmray", "api_key"))
    static let apiKeyType = Setting<APIKeyType>("vmray.api_key_type", default: .report, "What the key is good for.")
        .at(.connection("vmray", "api_key_type"))
    static let url = Setting<String>(
        "vmray.url", default: VMRayClient.Configuration.defaultBaseURL,
        "The VMRay instance; `https://` may be left out."
    ).at(.connection("vmray", "url")).orVariables("VMRAY_BASE_URL").checking { text in
        do throws(InvalidValue) {
            _ = try EndpointURL(parsing: text.contains("://") ? text : "https://" + text)
            return nil
        } catch { return error }
    }
    static let connectorName = Setting<String>(
        "vmray.connector_name", default: VMRayClient.Configuration.defaultConnectorName,
        "Goes into the user agent of calls to VMRay. The original's sample also writes `ConnectorName`."
    ).at(.connection("vmray", "connector_name")).or("vmray.connectorname").checking { name in
        name.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } ? nil : InvalidValue("has characters that no header can hold")
    }
    static let verification = Setting<TLSVerification>(
        "vmray.ssl_verify", default: .system,
        "Whether VMRay's certificate is checked, or the file of the CA to check it against."
    ).at(.connection("vmray", "ssl_verify"))
    static let authorities = Setting<FilePath?>(
        "vmray.ca_file", "File of the CA to check VMRay's certificate against, for an instance of your own."
    ).at(.connection("vmray", "ca_file"))
    static let vmray: [any AnySetting] = [apiKey, apiKeyType, url, connectorName, verification, authorities]

    // MARK: What is looked at

    static let dataSources = Setting<[DataSource]>(
        "crowdstrike.selected_data_sources", default: [.detect, .quarantine], "Where samples come from."
    ).variable("VMRAY_DATA_SOURCES").at(.flow("data_sources"))
    static let legacyAPI = Setting<LegacyAPI>(
        "vmray.legacy_api", default: .auto,
        "Which API answers for detections; CrowdStrike has decommissioned the one that the original uses.")
    static let timeSpan = Setting<Duration>(
        "general.time_span", default: .seconds(10_800),
        "From the end of a run to the begin of the next, and how far the first run looks back (ten minutes more)."
    ).variable("VMRAY_TIME_SPAN").within(.seconds(1)...(.seconds(30 * 86_400)))
    static let runtimeMode = Setting<RuntimeMode>("general.runtime_mode", default: .docker, "How often it runs.")
        .variable("VMRAY_RUNTIME_MODE")
    static let downloadDirectory = Setting<FilePath>(
        "crowdstrike.download_dir", default: "downloads",
        "Folder for archives above 1 MiB while they are sent on: encrypted, and without a name in the folder."
    ).variable("VMRAY_DOWNLOAD_DIR")
    static let maxConcurrent = Setting<Int>(
        "vmray.max_concurrent", default: 8,
        "Downloads with their submissions at a time. Samples that wait for an analysis do not count."
    ).within(1...64)
    static let maxSampleSize = Setting<ByteCount>(
        "vmray.max_sample_size", default: .mebibytes(256), "Larger samples are put aside, not submitted.")

    // MARK: What is submitted

    static let submissionComment = Setting<String>(
        "vmray.submission_comment", default: "Sample from VMRay CrowdStrike Connector", "Comment of each submission.")
    static let submissionTags = Setting<[String]>(
        "vmray.submission_tags", default: ["CrowdStrike"], "Tags of each submission, without blanks."
    ).checking { tags in
        tags.first { $0.contains(" ") || $0.contains(",") }.map {
            InvalidValue("holds the tag “\($0)” with a blank", remedy: "Write tags without blanks.")
        }
    }
    static let analysisTimeout = Setting<Duration>(
        "vmray.analysis_timeout", default: .seconds(120), "How long one analysis may take; VMRay ends it then."
    ).within(.seconds(1)...(.seconds(86_400)))
    static let jobTimeout = Setting<Duration>(
        "vmray.analysis_job_timeout", default: .seconds(600),
        "How long a submission is waited for, from the moment its first job runs."
    ).within(.seconds(1)...(.seconds(7 * 86_400)))
    static let analyzerMode = Setting<AnalyzerMode>(
        "vmray.default_analyzer_mode", default: .reputationStaticDynamic, "How samples are analysed."
    ).variable("VMRAY_ANALYZER_MODE").at(.flow("analyzer_mode"))
    static let resubmits = Setting<Bool>(
        "vmray.resubmit", default: false, "Whether samples that VMRay knows already are analysed again.")
    static let resubmissionVerdicts = Setting<[AnyVerdict]>(
        "vmray.resubmission_verdicts", default: [.malicious, .suspicious], "With `resubmit`: which of them, by verdict."
    )
    static let selectedVerdicts = Setting<[AnyVerdict]>(
        "general.selected_verdicts", default: [.malicious],
        "Whose IOC lists are read, and which of their entries count. Every sample is reported, whatever its verdict."
    ).variable("VMRAY_SELECTED_VERDICTS")

    // MARK: What is done

    static let commentsToDetection = Setting<Bool>(
        "crowdstrike.comment_to_detection", default: true, "Comment on the alerts, and set their status."
    ).or("crowdstrike.commment_to_detection").variable("VMRAY_COMMENT_TO_DETECTION")
        .orVariables("VMRAY_COMMMENT_TO_DETECTION")
    static let commentsToQuarantine = Setting<Bool>(
        "crowdstrike.comment_to_quarantine", default: true, "Comment on quarantined files, and keep or release them."
    ).variable("VMRAY_COMMENT_TO_QUARANTINE")
    static let closesOnClean = Setting<Bool>(
        "vmray.close_on_clean", default: true, "Close the alerts of a sample that VMRay calls clean.")
    static let releasesOnClean = Setting<Bool>(
        "vmray.release_on_clean", default: false,
        "Release quarantined files that VMRay calls clean. Needs `comment_to_quarantine`.")
    static let addsClassification = Setting<Bool>(
        "crowdstrike.add_threat_classification", default: true, "Add the threat's classification to the comment."
    ).or("crowdstrike.add_thread_classification").variable("VMRAY_ADD_THREAT_CLASSIFICATION")
    static let addsThreatName = Setting<Bool>(
        "crowdstrike.add_threat_name", default: true, "Add the threat's name to the comment."
    ).or("crowdstrike.add_thread_name").variable("VMRAY_ADD_THREAT_NAME")
    static let takesURLAddresses = Setting<Bool>(
        "vmray.ioc_url_addresses", default: true,
        "Whether addresses behind malicious URLs become indicators, which may be those of shared servers.")
    static let contains = Setting<Bool>("crowdstrike.contain_host", default: false, "Cut the hosts off the network.")
        .variable("VMRAY_CONTAIN_HOST")
    static let containLevels = levels("contain_host_levels", "With `contain_host`: for which verdicts.")
    static let containMax = Setting<Int>(
        "vmray.contain_max", default: 25,
        "Hosts contained within an hour, and files released. The first beyond it stops that until `sallyport approve`."
    ).within(0...10_000)
    static let neverContain = Setting<[String]>(
        "vmray.never_contain", default: [],
        "Hosts that are never contained, and to which nothing is released: host names (`*` stands for any characters), names or ids of host groups."
    ).example("dc-*,Critical servers")
    static let createsCase = Setting<Bool>("crowdstrike.create_case", default: false, "Open a case for each sample.")
        .variable("VMRAY_CREATE_CASE")
    static let caseLevels = levels("create_case_levels", "With `create_case`: for which verdicts.")
    static let opensCaseOnError = Setting<Bool>(
        "crowdstrike.submit_or_download_error_open_case", default: false,
        "Open a case for a sample that could not be analysed."
    ).variable("VMRAY_ERROR_OPEN_CASE").at(.flow("error_open_case"))
    static let caseUsers = Setting<[String]>(
        "crowdstrike.case_users", default: [],
        "UUID of the Falcon user for whom cases are opened; only the first counts."
    ).variable("VMRAY_CASE_USERS").or("crowdstrike.case_user").checking(areUUIDs)
    static let userUUID = Setting<[String]>(
        "crowdstrike.user_uuid", default: [], "The same, where `case_users` is not set."
    ).variable("VMRAY_USER_UUID").checking(areUUIDs)
    static let caseAPI = Setting<CaseAPIChoice>(
        "vmray.case_api", default: .messageCenter, "Which kind of case is opened.")
    static let caseType = Setting<String>(
        "vmray.case_type", default: "fc:detection-support",
        "Type of a case of the message center. Alerts are attached to this one only."
    ).checking { type in
        let known = ["fc:detection-support", "fc:contact", "fc:falcon-product-support", "fc:incident-support"]
        return known.contains(type)
            ? nil : InvalidValue("is no type of case", remedy: "There are: \(known.joined(separator: ", ")).")
    }
    static let findsOtherHosts = Setting<Bool>(
        "crowdstrike.find_another_host", default: false, "Look for other hosts that ran the same files."
    ).variable("VMRAY_FIND_ANOTHER_HOST")
    static let otherHostLevels = levels("find_another_host_levels", "With `find_another_host`: for which verdicts.")
    static let isDryRun = Setting<Bool>(
        "vmray.dry_run", default: false, "Only read, and log what would be done. Nothing is submitted or changed.")

    // MARK: The log

    static let logFile = LogSettings.file.defaulting(to: "cs-connector.log").or("general.log_file_path")
        .orVariables("VMRAY_LOG_FILE")
    static let logLevel = LogSettings.level.or("general.log_level").orVariables("VMRAY_LOG_LEVEL")

    static let all: [any AnySetting] =
        falcon + vmray + [
            dataSources, legacyAPI, timeSpan, runtimeMode, downloadDirectory, maxConcurrent, maxSampleSize,
            submissionComment,
            submissionTags, analysisTimeout, jobTimeout, analyzerMode, resubmits, resubmissionVerdicts,
            selectedVerdicts, commentsToDetection, commentsToQuarantine, closesOnClean, releasesOnClean,
            addsClassification, addsThreatName, takesURLAddresses, contains, containLevels, containMax, neverContain,
            createsCase, caseLevels, opensCaseOnError, caseUsers, userUUID, caseAPI, caseType, findsOtherHosts,
            otherHostLevels, isDryRun, logFile, logLevel,
        ]

    private static func levels(_ name: String, _ doc: String) -> Setting<[BadVerdict]> {
        Setting("crowdstrike.\(name)", default: [.suspicious, .malicious], doc).variable("VMRAY_\(name.uppercased())")
    }

    private static let areUUIDs: @Sendable ([String]) -> InvalidValue? = { ids in
        ids.first { Digest128(uuid: $0) == nil }.map {
            InvalidValue("holds “\($0)”, which is no UUID", remedy: "Copy the user's UUID from the Falcon console.")
        }
    }
}
