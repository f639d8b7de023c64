// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
public import Engine
import HarfangLab
import OpenCTI
import Settings

extension HarfangLabIntelConnector {
    /// Platform, token and capabilities, the live stream and how it differs from the procedure, the console and its lists.
    /// Reads only.
    public func check(_ report: @Sendable (CheckLine) -> Void) async {
        await StreamCheck(context, filters: Self.filters).run(report)
        checkOptions(report)
        await checkConsole(report)
    }

    /// What the original's procedure sets up.
    ///
    /// Source: `seed: 004_45197e4125f420f0.txt`, “Creation and Configuration of a Custom Data Stream”.
    static let filters = StreamFilters([
        .init(
            "entity_type", "Entity type", ["indicator"],
            "the procedure sets it to Indicator; everything else is read and dropped."),
        .init(
            "pattern_type", "Pattern type", ["stix", "sigma", "yara"],
            "the procedure lets stix, sigma and yara through; rules of the others never come."),
        .init(
            "revoked", "Revoked", ["false"],
            "the procedure sets it to No, and the platform tells of a revocation as a deletion; without it we notice by "
                + "ourselves."),
        .init(
            "x_opencti_detection", "Is detected", ["true"],
            "the procedure sets it to Yes; without it every indicator becomes a rule, also those not meant for detection."
        ),
    ])

    private func checkOptions(_ report: @Sendable (CheckLine) -> Void) {
        let settings = context.settings
        report(
            settings[LiveStreamSettings.listenDelete]
                ? .init(.ok, "opencti.stream_option", "Deletions are listened to.")
                : .init(
                    .warning, "opencti.stream_option",
                    "live_stream_listen_delete is false: the procedure demands true; rules of deleted indicators stay.")
        )
        report(
            settings[LiveStreamSettings.noDependencies]
                ? .init(
                    .warning, "opencti.stream_option",
                    "live_stream_no_dependencies is true: the procedure demands false; a link between an indicator and an "
                        + "observable that is made later is then seen with the indicator's next change only.")
                : .init(.ok, "opencti.stream_option", "Dependencies are streamed."))
    }

    private func checkConsole(_ report: @Sendable (CheckLine) -> Void) async {
        do {
            let console = try connections.harfangLab(names)
            await ConsoleCheck(console).run(report)
            let list = context.settings[HarfangLabIntelSettings.sourceList]
            for kind in RuleKind.allCases {
                let source = try await console.source(kind, named: list)
                report(
                    .init(
                        .ok, "harfanglab.source",
                        source == nil
                            ? "The \(kind.rawValue) list “\(list)” does not exist yet; the start makes it."
                            : "The \(kind.rawValue) list “\(list)” is there."))
            }
        } catch {
            report(.init(failure: error, of: "harfanglab"))
        }
    }
}
