// SPDX-License-Identifier: Apache-2.0

internal import JSON
internal import OpenCTI

/// A message of the queue is read or refused, the same way each time, and what is read can be worked with.
@Sendable func fuzzEnrichmentMessage(_ bytes: UnsafeRawBufferPointer) {
    let body = Array(bytes)
    let read = try? EnrichmentMessage(parsing: body)
    check(read == (try? EnrichmentMessage(parsing: body)), "read otherwise the second time")
    _ = EnrichmentMessage.workID(in: body)
    guard let read else { return }
    check(!read.entityID.isEmpty, "a request without an entity")
    check(read.playbook == nil || read.entity != nil, "a playbook without the entity")
    _ = read.asked
}

/// Whatever objects a bundle has: each is sent or named as incompatible once, in an order in which nothing depends on a
/// later one more than it is counted for.
@Sendable func fuzzBundle(_ bytes: UnsafeRawBufferPointer) {
    guard let objects = (try? JSONValue(parsing: bytes))?.array, objects.count < 200 else { return }
    let ids = Set(objects.compactMap { $0["id"]?.string })
    for cleansUp in [false, true] {
        let result = BundleSplitter.split(objects, bundleID: "bundle--1", cleansUp: cleansUp)
        check(result.bundles.count + result.incompatible.count <= objects.count, "more came out than went in")
        var last: Int64 = 0
        for bundle in result.bundles {
            let sequence = bundle["x_opencti_seq"]?.int ?? 0
            check(sequence >= last, "out of order: \(sequence) after \(last)")
            last = sequence
            check(bundle["objects"]?.array?.count == 1, "not one object a bundle")
            check(bundle["objects"]?[0]?["id"]?.string.map(ids.contains) ?? false, "an object from nowhere")
        }
    }
}
