// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
public import Engine
import Falcon
import Sekoia
import Settings

extension FalconTelemetryConnector {
    /// The tenant's credentials, each scope with what needs it, and the destination's address. Opens no stream.
    public func check(_ report: @Sendable (CheckLine) -> Void) async {
        let session: SymphonySession
        let falcon: FalconClient
        do {
            session = try await SymphonySession.open(context, silence: .zero, listens: false)
            falcon = try session.falcon()
        } catch {
            return report(CheckLine(.problem, "symphony", "\(error)", isRemote: true))
        }
        do throws(FalconError) {
            let feeds = try await falcon.eventFeeds(appID: "sallyportcheck")
            report(CheckLine(.ok, "falcon.credentials", "Falcon gives a token."))
            report(
                CheckLine(
                    feeds.isEmpty ? .warning : .ok, "falcon.scope",
                    "“\(FalconScope.eventStreamsRead)”, for the event stream: granted; \(feeds.count) feeds are listed."
                ))
        } catch {
            report(CheckLine(.problem, error.code.text, "The event stream: \(error.description)", isRemote: true))
        }
        if context.settings[FalconTelemetrySettings.vertices] { await checkVertices(falcon, report) }
        if context.settings[FalconTelemetrySettings.target] == .sekoia { await checkIntake(session, report) }
        await session.close()
    }

    private func checkVertices(_ falcon: FalconClient, _ report: @Sendable (CheckLine) -> Void) async {
        func probe(_ scope: FalconScope, _ need: String, _ call: () async throws -> Void) async {
            do {
                try await call()
                report(CheckLine(.ok, "falcon.scope", "“\(scope)”, for \(need): granted."))
            } catch let error as FalconError {
                switch error {
                case .notFound, .badRequest: report(CheckLine(.ok, "falcon.scope", "“\(scope)”, for \(need): granted."))
                default:
                    report(CheckLine(.problem, error.code.text, "\(need): \(error.description)", isRemote: true))
                }
            } catch {
                report(CheckLine(.problem, "falcon.scope", "\(need): \(error)", isRemote: true))
            }
        }
        await probe(.threatGraphRead, "vertices") { _ = try await falcon.edgeTypes() }
        await probe(.alertsRead, "the graph's entry points") {
            _ = try await falcon.queryAlerts(FQL.exact(.id, "sallyport-check"), limit: 1)
        }
        if context.settings[FalconTelemetrySettings.legacyAPI] == .force {
            await probe(.detectsRead, "the graph's entry points by the decommissioned API") {
                _ = try await falcon.detectionSummaries(["ldt:sallyport-check:0"]) { _ in true }
            }
        }
    }

    private func checkIntake(_ session: SymphonySession, _ report: @Sendable (CheckLine) -> Void) async {
        // The intake has no call that only looks: its address is all that can be checked without sending an event.
        do throws(SekoiaError) {
            _ = try Destination.intake(context, session)
            report(
                CheckLine(
                    .ok, "sekoia.intake", "The intake's URL and key are set; the key shows with the first events."))
        } catch {
            report(CheckLine(.problem, error.code.text, error.description))
        }
    }
}
