// SPDX-License-Identifier: Apache-2.0

public import JSON

/// The step of a playbook that waits for a connector's answer. Source: OpenCTI protocol, 5.2 and 7.5.
public struct PlaybookStep: Sendable, Hashable {
    /// Absent before 6.1.
    public var eventID: String?
    public var executionID: String
    public var playbookID: String
    public var dataInstanceID: String
    public var stepID: String
    public var previousStepID: String
    /// The bundle as it came, for the answer's `previous_bundle`.
    public var bundle: JSONValue

    public init(
        eventID: String?, executionID: String, playbookID: String, dataInstanceID: String, stepID: String,
        previousStepID: String, bundle: JSONValue
    ) {
        self.eventID = eventID
        self.executionID = executionID
        self.playbookID = playbookID
        self.dataInstanceID = dataInstanceID
        self.stepID = stepID
        self.previousStepID = previousStepID
        self.bundle = bundle
    }
}
