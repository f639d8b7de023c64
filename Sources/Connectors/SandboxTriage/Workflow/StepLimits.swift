// SPDX-License-Identifier: Apache-2.0

import Base

/// How many samples may be in a step at once; those that come later wait in the order of their coming.
struct StepLimits: Sendable {
    /// Look-ups and reading results.
    let ask = Slots(16)
    /// From the download to the answer to the submission: only these hold a sample's content.
    let transfer: Slots
    let poll = Slots(32)
    /// Telling Falcon.
    let report = Slots(8)
    /// Samples under way at all, waiting ones included.
    let underWay: Int

    init(transfers: Int, underWay: Int = 1000) {
        transfer = Slots(transfers)
        self.underWay = underWay
    }
}
