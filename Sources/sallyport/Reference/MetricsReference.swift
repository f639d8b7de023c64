// SPDX-License-Identifier: Apache-2.0

import Engine
import Settings
import Telemetry

/// `docs/reference/metrics.md`: every metric that the program can show.
enum MetricsReference {
    static var markdown: String {
        var text = """
            # Metrics

            Generated from the declarations of the program; do not edit.

            Prometheus' text format, at `/metrics` of the process's own listener (`SALLYPORT_HTTP_LISTEN`). A connector that \
            had a listener of its own keeps it, and its metrics keep their names. Label values come from small closed sets and \
            never hold a secret.

            ## The process


            """
        let process = Metrics()
        BuildInfo.register(in: process)
        ProcessMetrics.register(in: process)
        Health().register(in: process)
        LogOutput(sink: MemorySink()).register(in: process)
        text += table(process)
        for connector in Catalogue.connectors {
            let metrics = Metrics()
            connector.declareMetrics(in: metrics)
            text += "\n## \(connector.declaration.name)\n\n" + table(metrics)
        }
        return text
    }

    private static func table(_ metrics: Metrics) -> String {
        var text = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n"
        for family in metrics.declarations {
            let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
            text += "| `\(family.name)` | \(family.kind) | \(labels.isEmpty ? "–" : labels) | \(family.help) |\n"
        }
        return text
    }
}
