// SPDX-License-Identifier: Apache-2.0

import JSON
import Settings

/// A file of `docs/reference/` that the program makes of its own declarations.
struct ReferencePage: Sendable {
    /// `settings.md`.
    let name: String
    let text: String

    static var all: [ReferencePage] {
        let catalogue = Catalogue.settings
        var pages = [
            ReferencePage(name: "command-line.md", text: CommandReference.markdown(.sallyport)),
            ReferencePage(name: "codes.md", text: CodeReference.markdown),
            ReferencePage(name: "metrics.md", text: MetricsReference.markdown),
        ]
        pages += catalogue.referencePages.map { ReferencePage(name: $0.name, text: $0.text) }
        pages.append(ReferencePage(name: "sallyport.yaml", text: catalogue.sampleFile(for: catalogue.connectors)))
        pages.append(ReferencePage(name: "sallyport.schema.json", text: catalogue.jsonSchema.text + "\n"))
        for connector in catalogue.connectors {
            pages.append(
                ReferencePage(name: "\(connector.name).env", text: catalogue.sampleEnvironment(for: connector)))
        }
        return pages
    }
}
