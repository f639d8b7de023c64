// SPDX-License-Identifier: Apache-2.0

/// Events of the feed that are no sound indicator's.
enum FeedNoise {
    static let brokenCount = 7
    static let foreignCount = 6

    /// Text that cannot be read as an event: each is a dead letter.
    static func broken(_ kind: Int, _ number: Int) -> [UInt8] {
        let octi = #""extensions":{"\#(Platform.octi)":{"id":"00000000-0000-4000-8000-\#(100_000_000_000 + number)"}}"#
        switch kind {
        case 0: return Array("not json \(number)".utf8)
        case 1: return Array(#"{"version":"4","type":"create","data":{"id":"indicator--\#(number)""#.utf8)
        case 2: return Array(#"{"version":"4","type":"create","number":\#(number)}"#.utf8)
        case 3: return Array(#"[{"data":{"type":"indicator"}},\#(number)]"#.utf8)
        // An indicator without pattern, one without the pattern's language.
        case 4:
            return Array(
                #"{"version":"4","type":"create","data":{"type":"indicator","pattern_type":"stix",\#(octi)}}"#.utf8)
        case 5:
            return Array(
                #"{"version":"4","type":"create","data":{"type":"indicator","pattern":"[a:b = 'c']",\#(octi)}}"#.utf8)
        // A text that is no UTF-8.
        default:
            return Array(#"{"version":"4","type":"create","data":{"type":"indicator","name":""#.utf8) + [0xFF, 0xC0]
                + Array(#"","pattern_type":"stix","pattern":"[domain-name:value = 'x\#(number).example']"}}"#.utf8)
        }
    }

    static func isBroken(_ text: [UInt8]) -> Bool {
        !String(decoding: text, as: UTF8.self).contains(#""scope":"external""#)
    }

    /// Sound events of which nothing follows: other objects, merges, names that no version knows.
    static func foreign(_ kind: Int, _ id: String) -> Feed.Step {
        let object: String
        var event = "create"
        switch kind {
        case 0:
            object =
                #"{"id":"report--\#(id)","type":"report","name":"Report","published":"2025-01-01T00:00:00.000Z","object_refs":[]}"#
        case 1: object = #"{"id":"malware--\#(id)","type":"malware","name":"Malware","is_family":true}"#
        case 2:
            event = "merge"
            object = #"{"id":"malware--\#(id)","type":"malware","name":"Merged","is_family":true}"#
        case 3:
            event = "update"
            object = #"{"id":"observed-data--\#(id)","type":"observed-data","number_observed":3}"#
        case 4:
            event = "pir-change"
            object = #"{"id":"identity--\#(id)","type":"identity","name":"Somebody"}"#
        default: object = #"{"id":"domain-name--\#(id)","type":"domain-name","value":"observed.example"}"#
        }
        let text =
            #"{"version":"4","type":"\#(event)","scope":"external","message":"something else","origin":{"socket":"query"},"data":"#
            + object + "}"
        return Feed.Step(event: event, type: event, text: Array(text.utf8))
    }
}
