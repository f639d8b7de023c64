// SPDX-License-Identifier: Apache-2.0

import JSON
import OpenCTI

extension Command {
    /// `sallyport documents`: every GraphQL document that this program sends, to be checked against a platform's schema.
    static let documents = Command(
        name: "documents", summary: "Print every GraphQL document that is sent to OpenCTI, as JSON.",
        run: { _ in
            let documents = OpenCTIDocuments.all.map { document -> JSONValue in
                ["name": .string(document.name), "text": .string(document.text)]
            }
            Console.write(JSONValue.array(documents).text + "\n")
            return .ok
        })
}
