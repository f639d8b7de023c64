// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import CrowdSec
public import Engine
import Settings

extension CrowdSecEnrichmentConnector {
    /// The platform and the bus, then CrowdSec's address and key. Spends no token of the quota.
    public func check(_ report: @Sendable (CheckLine) -> Void) async {
        do { await shell(try await handler()).check(report) } catch {
            report(.init(.problem, "opencti", "\(error)"))
        }
        await checkCrowdSec(report)
    }

    /// A loopback address is in no record: the service answers 404 to a key that it accepts, and charges nothing.
    ///
    /// Source: CrowdSec enrichment, 1.
    private func checkCrowdSec(_ report: @Sendable (CheckLine) -> Void) async {
        do {
            let found = try await client().probe()
            report(.init(.ok, "crowdsec.key", "CrowdSec CTI accepts the key (status \(found))."))
        } catch let error as CrowdSecError {
            switch error {
            case .quotaExceeded:
                report(.init(.warning, error.code.text, "The key is right, its quota is spent. \(error.description)"))
            default: report(.init(.problem, error.code.text, error.description, isRemote: true))
            }
        } catch {
            report(.init(.problem, "crowdsec", "\(error)"))
        }
    }

    /// An enrichment acts on what somebody asks for; before that there is nothing to tell.
    public func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal
    ) async throws -> Accounting {
        report(
            PlannedChange(
                action: "none", subject: "requests of OpenCTI", detail: [],
                reason:
                    "Requests can't be read without taking them. `sallyport enrich IP --json` shows what one becomes."))
        return Accounting()
    }
}
