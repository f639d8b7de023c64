// SPDX-License-Identifier: Apache-2.0

public import Foundation

/// The JSON cases that tests read, byte for byte as the project received them.
public enum Vectors {
    public struct Missing: Error, CustomStringConvertible {
        public let description: String
    }

    /// The bytes of `Tests/Vectors/cases/<name>`.
    public static func data(_ name: String) throws -> Data {
        guard let folder = Bundle.module.resourceURL else { throw Missing(description: "no resource bundle") }
        return try Data(contentsOf: folder.appendingPathComponent("cases").appendingPathComponent(name))
    }

    /// One array of cases: `cases/<name>.json`.
    public static func cases<Case: Decodable>(_ name: String, as type: Case.Type) throws -> [Case] {
        try JSONDecoder().decode([Case].self, from: data(name + ".json"))
    }
}
