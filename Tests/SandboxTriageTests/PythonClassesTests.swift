// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import SandboxTriage

@Suite("Python configuration") struct PythonClassesTests {
    private let source = #"""
        from enum import Enum
        import os

        class VERDICT(Enum):
            MALICIOUS = "malicious"

        class CrowdStrikeConfig:
            # API client
            CLIENT_ID = "id#1"  # keep
            CLIENT_SECRET: str = 'it\'s'
            SELECTED_DATA_SOURCES = [DATA_SOURCE.DETECT,  # one
                DATA_SOURCE.QUARANTINE,
            ]
            CONTAIN_HOST = False
            USER_UUID = None
            DOWNLOAD_DIR = os.path.join("a", "b")
            CREATE_CASE_LEVELS = (VERDICT.SUSPICIOUS.value, "malicious")

        class VMRayConfig():
            ANALYSIS_TIMEOUT = 1_200
            SSL_VERIFY=True
            API_KEY_TYPE = VMRAY_API_KEY_TYPE.REPORT
            SUBMISSION_TAGS = []
            SUBMISSION_TAGS = ["CrowdStrike"]
            URL = f"https://{host}"
            if ANALYSIS_TIMEOUT == 3:
                pass

        OUTSIDE = 1
        """#

    // covers: triage:python_values
    @Test func `reads every form of value that the original's files have`() {
        let classes = PythonClasses(reading: source)
        #expect(classes.classes["VERDICT"] == ["MALICIOUS": .text("malicious")])
        #expect(
            classes.classes["CrowdStrikeConfig"]?.mapValues(\.setting) == [
                "CLIENT_ID": "id#1", "CLIENT_SECRET": "it's", "SELECTED_DATA_SOURCES": "DETECT,QUARANTINE",
                "CONTAIN_HOST": "false", "USER_UUID": "", "CREATE_CASE_LEVELS": "SUSPICIOUS,malicious",
            ])
        #expect(
            classes.classes["VMRayConfig"]?.mapValues(\.setting) == [
                "ANALYSIS_TIMEOUT": "1200", "SSL_VERIFY": "true", "API_KEY_TYPE": "REPORT",
                "SUBMISSION_TAGS": "CrowdStrike",
            ])
    }

    // covers: triage:python_unread
    @Test func `names what would have to be executed, and takes nothing from outside the classes`() {
        let classes = PythonClasses(reading: source)
        #expect(classes.unread == ["CrowdStrikeConfig.DOWNLOAD_DIR", "VMRayConfig.URL"])
        #expect(!classes.classes.values.contains { $0["OUTSIDE"] != nil })
    }

    // covers: triage:python_broken
    @Test(arguments: [
        "class A:\n  B = \"open\n  C = 1", "class A:\n  B = [1\n  C = 2\nclass", "class", "\u{0}",
        "class A:\n B = [[[[",
    ])
    func `stays whole over broken files`(_ source: String) {
        #expect(PythonClasses(reading: source).classes["A"]?["B"] == nil)
    }
}
