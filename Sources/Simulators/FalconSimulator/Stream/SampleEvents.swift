// SPDX-License-Identifier: Apache-2.0

import Base

/// Events of the kinds that a tenant sends, for feeds that nobody gave any. All names are invented.
enum SampleEvents {
    static func templates(size: Int, random seed: UInt64) -> [EventTemplate] {
        var random = SeededRandom(seed: seed)
        let lines = (0..<24).map { number in line(number, &random) }
        // Sizes differ as they do in life; their mean is the wanted one.
        let spread = [0.6, 0.8, 1.0, 1.2, 1.4]
        return lines.enumerated().compactMap { index, line in
            EventTemplate(Array(line.utf8), size: Int(Double(size) * spread[index % spread.count]))
        }
    }

    private static func line(_ number: Int, _ random: inout SeededRandom) -> String {
        let cid = "8f3c1d2e4b5a69788796a5b4c3d2e1f0"
        let aid = hex(32, &random)
        let metadata = { (type: String) in
            #"{"metadata":{"customerIDString":"\#(cid)","offset":1,"eventType":"\#(type)","eventCreationTime":1,"#
                + #""version":"1.0"},"event":"#
        }
        switch number % 6 {
        case 0, 3:
            return metadata("EppDetectionSummaryEvent")
                + #"{"AgentId":"\#(aid)","CompositeId":"\#(cid):ind:\#(aid):40\#(number)-25304-29644","#
                + #""Description":"A PowerShell process downloaded and launched a remote file.","FileName":"powershell.exe","#
                + #""FilePath":"\\Device\\HarddiskVolume3\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe","#
                + #""Hostname":"WKS-PAR-0\#(100 + number)","LocalIP":"10.20.1.\#(number + 1)","#
                + #""PatternDispositionFlags":{"Indicator":true,"Detect":true,"KillProcess":false},"#
                + #""MitreAttack":[{"Tactic":"Execution","TacticID":"TA0002","Technique":"PowerShell","TechniqueID":"T1059.001"}],"#
                + #""ProcessId":4032898385\#(number),"SHA256String":"\#(hex(64, &random))","Severity":70,"#
                + #""SeverityName":"High","UserName":"user\#(number)"}}"#
        case 1:
            return metadata("DetectionSummaryEvent")
                + #"{"ComputerName":"WKS-LYO-0\#(number)","UserName":"jmartin","DetectName":"Suspicious Activity","#
                + #""DetectId":"ldt:\#(aid):4423952\#(number)","Severity":3,"SeverityName":"Medium","#
                + #""CommandLine":"\"C:\\Users\\jmartin\\Downloads\\setup.exe\"","SensorId":"\#(aid)"}}"#
        case 2:
            return metadata("AuthActivityAuditEvent")
                + #"{"UserId":"c.dupont@example.org","UserIp":"198.51.100.14","OperationName":"twoFactorAuthenticate","#
                + #""ServiceName":"Crowdstrike Authentication","Success":true,"UTCTimestamp":1771059662,"#
                + #""AuditKeyValues":[{"Key":"target_name","ValueString":"c.dupont@example.org"}]}}"#
        case 4:
            return metadata("UserActivityAuditEvent")
                + #"{"UserId":"é.müller@example.org","UserIp":"198.51.100.15","OperationName":"detection_update","#
                + #""ServiceName":"detections","AuditKeyValues":[{"Key":"new_state","ValueString":"in_progress"}]}}"#
        default:
            return metadata("IdentityProtectionEvent")
                + #"{"Category":"Incidents","EndpointIp":"10.20.0.12","EndpointName":"SRV-SQL-0\#(number)","#
                + #""IncidentDescription":"A service account authenticated interactively.","Severity":2,"#
                + #""SeverityName":"LOW","UserName":"CORP.EXAMPLE.ORG\\svc-sqlagent"}}"#
        }
    }

    private static func hex(_ count: Int, _ random: inout SeededRandom) -> String {
        let digits = Array("0123456789abcdef")
        return String((0..<count).map { _ in digits[Int.random(in: 0..<16, using: &random)] })
    }
}
