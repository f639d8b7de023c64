// SPDX-License-Identifier: Apache-2.0

import ConnectorKit
import HarfangLab
public import Settings

/// What an operator can say. The names are the originals', both prefixes.
///
/// Source: HarfangLab ↔ OpenCTI, 4.
public enum HarfangLabIntelSettings {
    static let connection = HarfangLabSettings(section: "harfanglab_intel")

    static let name = OpenCTISettings.name.defaulting(to: "HarfangLab Intel")
    static let scope = OpenCTISettings.scope.defaulting(to: ["harfanglab"])

    static let sourceList = Setting<String>(
        "harfanglab_intel.source_list_name", default: "from_OpenCTI",
        "Name of the source lists that hold our rules, one for each kind; made where there are none."
    ).or("harfanglab.source_list_name").checking {
        $0.count > 100 ? InvalidValue("is longer than 100 characters") : nil
    }
    static let removes = Setting<Bool>(
        "harfanglab_intel.remove_indicator", default: false,
        "Delete rules of what leaves OpenCTI; otherwise they are only switched off."
    ).or("harfanglab.remove_indicator")
    static let maturity = Setting<Maturity>(
        "harfanglab_intel.rule_maturity", default: .stable, "The status that rules are made with."
    ).or("harfanglab.rule_maturity")
    static let skipsNameWithHash = Setting<Bool>(
        "harfanglab_intel.skip_name_with_hash", default: false,
        "Make no rule of a file name that a pattern demands together with a hash."
    ).or("harfanglab.skip_name_with_hash")
    static let readsBack = Setting<Bool>(
        "harfanglab_intel.read_back_rules", default: false,
        "Read each new Sigma rule once more and report what the console's compiler says of it."
    ).or("harfanglab.read_back_rules")
    static let calls = Setting<Int>(
        "harfanglab_intel.concurrent_calls", default: 16,
        "Most calls to the console under way at once; order per value is kept."
    ).or("harfanglab.concurrent_calls").within(1...64)

    enum Maturity: String, SettingChoice {
        case stable
        case testing
        var rule: RuleMaturity { self == .stable ? .stable : .testing }
    }

    /// Those of this direction alone, without platform and console.
    public static let own: [any AnySetting] = [
        sourceList, removes, maturity, skipsNameWithHash, readsBack, calls,
    ]

    static let all: [any AnySetting] =
        OpenCTISettings.connection + [
            OpenCTISettings.id, OpenCTISettings.streamKind, name, scope, OpenCTISettings.logLevel,
        ] + LiveStreamSettings.all + connection.all + own + HarfangLabSettings.withoutEffect
        + OpenCTISettings.withoutEffect
}
