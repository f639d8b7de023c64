// SPDX-License-Identifier: Apache-2.0

public import JSON

/// An event of OCSF's category Discovery that says what was collected about one device or one person.
///
/// Version 1.6.0. Timestamps are seconds as Sekoia.io has them, not the milliseconds of OCSF's `timestamp_t`; absent values are
/// left out. Source: Sekoia.io module, 3.2 to 3.5; schema.ocsf.io, classes 5001 and 5003.
public struct InventoryEvent: Sendable, Hashable {
    public enum Subject: Sendable, Hashable {
        case device(Device)
        case user(User)
    }

    /// What the event is about; decides the class.
    public var subject: Subject
    public var time: Timestamp
    public var product: Product
    public var enrichments: [Enrichment]

    public init(
        _ subject: Subject, time: Timestamp, product: Product = Product(name: "Crowdstrike Falcon", version: "N/A"),
        enrichments: [Enrichment] = []
    ) {
        self.subject = subject
        self.time = time
        self.product = product
        self.enrichments = enrichments
    }

    public static let version = "1.6.0"

    public var classUID: Int {
        switch subject {
        case .device: 5001
        case .user: 5003
        }
    }

    public var className: String {
        switch subject {
        case .device: "Device Inventory Info"
        case .user: "User Inventory Info"
        }
    }

    /// Class and activity in one number, as OCSF defines it.
    public var typeUID: Int { classUID * 100 + Self.collect }

    static let collect = 2

    /// How an event is written.
    public enum Form: Sendable, Hashable {
        /// As Sekoia.io's own connector writes it: lower-case names of systems, “User Inventory”, no vendor.
        case sekoia
        /// As the schema names things, with what it requires.
        case strict
    }

    /// The event's own name: `compat` with the original, which cuts that of users.
    func typeName(_ form: Form) -> String {
        if case .user = subject, form == .sekoia { return "User Inventory" }
        return className + ": Collect"
    }

    public func write(_ form: Form = .sekoia, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("activity_id", Self.collect)
        writer.member("activity_name", "Collect")
        writer.member("category_name", "Discovery")
        writer.member("category_uid", 5)
        writer.member("class_name", className)
        writer.member("class_uid", classUID)
        writer.member("type_name", typeName(form))
        writer.member("type_uid", typeUID)
        writer.member("severity", "Informational")
        writer.member("severity_id", 1)
        writer.member("time", time)
        writer.key("metadata")
        writer.beginObject()
        writer.key("product")
        product.write(form, into: &writer)
        writer.member("version", Self.version)
        writer.endObject()
        switch subject {
        case .device(let device):
            writer.key("device")
            device.write(form, into: &writer)
        case .user(let user):
            writer.key("user")
            user.write(form, into: &writer)
        }
        if !enrichments.isEmpty {
            writer.key("enrichments")
            writer.beginArray()
            for enrichment in enrichments { enrichment.write(into: &writer) }
            writer.endArray()
        }
        writer.endObject()
    }

    /// The text of the whole event.
    public func text(_ form: Form = .sekoia) -> String {
        var writer = JSONWriter(reserving: 2048)
        write(form, into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// What the schema requires and this event lacks, as paths with a reason; empty for a valid event.
    public var problems: [String] {
        var problems: [String] = []
        if product.name.isEmpty { problems.append("metadata.product.name: is empty") }
        switch subject {
        case .device(let device): problems += device.problems
        case .user(let user): problems += user.problems
        }
        for (index, enrichment) in enrichments.enumerated() where enrichment.name.isEmpty || enrichment.value.isEmpty {
            problems.append("enrichments[\(index)]: name or value is empty")
        }
        return problems
    }
}

public struct Product: Sendable, Hashable {
    public var name: String
    public var version: String
    /// Written in the strict form only.
    public var vendor: String

    public init(name: String, version: String, vendor: String = "CrowdStrike") {
        self.name = name
        self.version = version
        self.vendor = vendor
    }

    func write(_ form: InventoryEvent.Form, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", name)
        writer.member("version", version)
        if form == .strict { writer.member("vendor_name", vendor) }
        writer.endObject()
    }
}

/// Facts beside the subject.
public struct Enrichment: Sendable, Hashable {
    public var name: String
    public var value: String
    public var data: JSONObject

    public init(name: String, value: String, data: JSONObject) {
        self.name = name
        self.value = value
        self.data = data
    }

    func write(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", name)
        writer.member("value", value)
        writer.key("data")
        writer.value(.object(data))
        writer.endObject()
    }
}

/// An organisation or a group by id and name.
public struct Organization: Sendable, Hashable {
    public var uid: String
    public var name: String

    public init(uid: String, name: String) {
        self.uid = uid
        self.name = name
    }
}

extension JSONWriter {
    mutating func member(_ key: StaticString, _ text: String) {
        self.key(key)
        string(text)
    }
    mutating func member(_ key: StaticString, _ text: String?) {
        guard let text else { return }
        member(key, text)
    }
    mutating func member(_ key: StaticString, _ number: Int) {
        self.key(key)
        int(Int64(number))
    }
    mutating func member(_ key: StaticString, _ flag: Bool?) {
        guard let flag else { return }
        self.key(key)
        bool(flag)
    }
    mutating func member(_ key: StaticString, _ time: Timestamp?) {
        guard let time else { return }
        self.key(key)
        double(time.seconds)
    }
}
