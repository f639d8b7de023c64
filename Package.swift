// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

func module(_ name: String, in folder: String, _ dependencies: [Target.Dependency] = []) -> Target {
    let path = folder.isEmpty ? "Sources/\(name)" : "Sources/\(folder)/\(name)"
    return .target(name: name, dependencies: dependencies, path: path, swiftSettings: strict)
}

func system(_ name: String, _ pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/System/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: strict)
}

let package = Package(
    name: "sallyport",
    products: [
        .executable(name: "sallyport", targets: ["sallyport"]),
        .executable(name: "sallyport-bench", targets: ["sallyport-bench"]),
    ],
    targets: [
        // System: C libraries and the thinnest shims.
        system("CCurl", "libcurl", apt: "libcurl4-openssl-dev"),
        system("CSQLite", "sqlite3", apt: "libsqlite3-dev"),
        system("CYAML", "yaml-0.1", apt: "libyaml-dev"),
        system("CMicroHTTPD", "libmicrohttpd", apt: "libmicrohttpd-dev"),
        system("CZlib", "zlib", apt: "zlib1g-dev"),
        system("CCrypto", "libcrypto", apt: "libssl-dev"),
        system("CIDN2", "libidn2", apt: "libidn2-dev"),
        system("CPSL", "libpsl", apt: "libpsl-dev"),
        system("CRdKafka", "rdkafka", apt: "librdkafka-dev"),
        system("CRabbitMQ", "librabbitmq", apt: "librabbitmq-dev"),
        system("CYARA", "yara", apt: "libyara-dev"),
        .target(name: "CLinux", path: "Sources/System/CLinux"),
        .target(
            name: "CSimdjson", path: "Sources/System/CSimdjson", linkerSettings: [.linkedLibrary("simdjson")]),

        // Toolkit: knows nothing of security products.
        module("Base", in: "Toolkit", ["CLinux"]),
        module("Hashing", in: "Toolkit", ["Base", "CCrypto"]),
        module("NetAddress", in: "Toolkit", ["Base", "CIDN2", "CPSL"]),
        module("JSON", in: "Toolkit", ["Base", "CSimdjson"]),
        module("HTTPClient", in: "Toolkit", ["Base", "CCurl", "CZlib", "JSON"]),
        module("HTTPServer", in: "Toolkit", ["Base", "CMicroHTTPD", "CZlib"]),
        module("Messaging", in: "Toolkit", ["Base", "CLinux", "CRabbitMQ"]),
        module("Storage", in: "Toolkit", ["Base", "CSQLite"]),
        module("Settings", in: "Toolkit", ["Base", "CYAML", "JSON"]),
        module("Subprocesses", in: "Toolkit", ["Base"]),
        module("Telemetry", in: "Toolkit", ["Base"]),

        // Formats: values in, values out.
        module("STIX", in: "Formats", ["Base", "Hashing", "JSON", "NetAddress"]),
        module("OCSF", in: "Formats", ["JSON"]),
        module("Archives", in: "Formats", ["Base", "CLinux", "CZlib", "Hashing"]),
        module("Rules", in: "Formats", ["Base", "CYARA", "Settings"]),

        // Vendors: one client per product, no business rules.
        module("OpenCTI", in: "Vendors", ["Base", "HTTPClient", "Hashing", "JSON", "STIX", "Telemetry"]),
        module("Falcon", in: "Vendors", ["Base", "HTTPClient", "JSON", "Telemetry"]),
        module("Sekoia", in: "Vendors", ["Base", "HTTPClient", "JSON"]),
        module("HarfangLab", in: "Vendors", ["Base", "HTTPClient", "JSON"]),
        module("CrowdSec", in: "Vendors", ["Base", "HTTPClient", "JSON"]),
        module("VMRay", in: "Vendors", ["Base", "HTTPClient", "JSON"]),

        module("Engine", in: "", ["Base", "Hashing", "JSON", "NetAddress", "Settings", "Storage", "Telemetry"]),

        // Connectors: compositions of the engine's stages.
        module(
            "ConnectorKit", in: "Connectors",
            [
                "Base", "CCrypto", "Engine", "Falcon", "HTTPClient", "HTTPServer", "HarfangLab", "Hashing", "JSON",
                "Messaging",
                "OpenCTI", "STIX", "Settings", "Storage", "Telemetry",
            ]),
        module(
            "FalconIndicators", in: "Connectors",
            [
                "Base", "ConnectorKit", "Engine", "Falcon", "HTTPClient", "Hashing", "JSON", "NetAddress", "OpenCTI",
                "Settings",
                "Storage", "STIX", "Telemetry",
            ]),
        module(
            "CrowdSecEnrichment", in: "Connectors",
            [
                "Base", "ConnectorKit", "CrowdSec", "Engine", "HTTPClient", "Hashing", "JSON", "NetAddress", "OpenCTI",
                "STIX", "Settings", "Storage", "Telemetry",
            ]),

        module(
            "FalconActions", in: "Connectors",
            [
                "Base", "ConnectorKit", "Engine", "Falcon", "HTTPClient", "JSON", "NetAddress", "STIX", "Settings",
                "Telemetry",
            ]),

        module(
            "HarfangLabIntel", in: "Connectors",
            [
                "Base", "ConnectorKit", "Engine", "HTTPClient", "HarfangLab", "Hashing", "JSON", "NetAddress",
                "OpenCTI", "Rules",
                "STIX", "Settings", "Storage", "Subprocesses", "Telemetry",
            ]),

        module(
            "HarfangLabIncidents", in: "Connectors",
            [
                "Base", "ConnectorKit", "Engine", "HTTPClient", "HarfangLab", "Hashing", "JSON", "Messaging",
                "NetAddress",
                "OpenCTI", "STIX", "Settings", "Storage", "Telemetry",
            ]),

        module(
            "HarfangLabBoth", in: "Connectors",
            [
                "Base", "ConnectorKit", "Engine", "HarfangLabIncidents", "HarfangLabIntel", "OpenCTI", "Settings",
                "Telemetry",
            ]),

        module(
            "FalconInventories", in: "Connectors",
            [
                "Base", "ConnectorKit", "Engine", "Falcon", "Hashing", "JSON", "OCSF", "Sekoia", "Settings", "Storage",
                "Telemetry",
            ]),

        module(
            "FalconTelemetry", in: "Connectors",
            [
                "Base", "CRdKafka", "ConnectorKit", "Engine", "Falcon", "HTTPClient", "Hashing", "JSON", "Sekoia",
                "Settings", "Storage", "Telemetry",
            ]),

        module(
            "SandboxTriage", in: "Connectors",
            [
                "Archives", "Base", "ConnectorKit", "Engine", "Falcon", "HTTPClient", "Hashing", "JSON", "NetAddress",
                "Settings", "Storage", "Telemetry", "VMRay",
            ]),

        // Simulators: fake vendors over real HTTP; no vendor client in here.
        module("SimulatorKit", in: "Simulators", ["Base", "HTTPServer", "JSON"]),
        module(
            "OpenCTISimulator", in: "Simulators",
            ["Base", "HTTPClient", "HTTPServer", "Hashing", "JSON", "Messaging", "SimulatorKit"]),
        module(
            "FalconSimulator", in: "Simulators", ["Base", "CZlib", "HTTPServer", "Hashing", "JSON", "SimulatorKit"]),
        module("CrowdSecSimulator", in: "Simulators", ["Base", "HTTPServer", "JSON", "NetAddress", "SimulatorKit"]),
        module("VMRaySimulator", in: "Simulators", ["Base", "HTTPServer", "Hashing", "JSON", "SimulatorKit"]),
        module("SekoiaSimulator", in: "Simulators", ["Base", "HTTPServer", "JSON", "SimulatorKit"]),
        module("HarfangLabSimulator", in: "Simulators", ["Base", "HTTPServer", "JSON", "SimulatorKit"]),

        .executableTarget(
            name: "sallyport",
            dependencies: [
                "Base", "CLinux", "ConnectorKit", "CrowdSec", "CrowdSecEnrichment", "CrowdSecSimulator", "Engine",
                "Falcon", "FalconIndicators", "FalconSimulator", "FalconActions", "FalconInventories",
                "FalconTelemetry", "SekoiaSimulator",
                "HarfangLabBoth", "HarfangLabIncidents", "HarfangLabIntel", "HarfangLabSimulator", "Rules",
                "HTTPClient", "HTTPServer",
                "Hashing", "JSON", "NetAddress", "OpenCTI", "OpenCTISimulator", "STIX", "SandboxTriage", "Settings",
                "SimulatorKit", "Storage", "Subprocesses", "Telemetry", "VMRaySimulator",
            ],
            path: "Sources/sallyport", swiftSettings: strict),
        .executableTarget(
            name: "sallyport-bench",
            dependencies: ["Base", "CRabbitMQ", "HTTPClient", "JSON", "Messaging", "STIX", "Storage", "Subprocesses"],
            path: "Benchmarks/sallyport-bench", swiftSettings: strict),

        // Tests mirror Sources; Vectors holds the JSON cases.
        .target(
            name: "Vectors", path: "Tests/Vectors", exclude: ["SHA256SUMS"], resources: [.copy("cases")],
            swiftSettings: strict),
        .target(
            name: "TestKit", dependencies: ["Base", "HTTPClient", "JSON", "Vectors"], path: "Tests/TestKit",
            swiftSettings: strict),
        .target(
            name: "FlowTestKit", dependencies: ["Base", "Engine", "Storage", "TestKit"], path: "Tests/FlowTestKit",
            swiftSettings: strict),
        tests("BaseTests", ["Base"]),
        tests("HashingTests", ["Base", "Hashing"]),
        tests("NetAddressTests", ["Base", "NetAddress"]),
        tests("JSONTests", ["Base", "JSON", "Vectors"]),
        tests("HTTPClientTests", ["Base", "HTTPClient", "HTTPServer", "JSON", "Telemetry", "TestKit"]),
        tests("HTTPServerTests", ["Base", "HTTPServer", "HTTPClient"]),
        tests("MessagingTests", ["Messaging"]),
        tests(
            "EnrichmentTests",
            [
                "Base", "ConnectorKit", "Engine", "HTTPClient", "JSON", "Messaging", "OpenCTI", "STIX", "Settings",
                "Storage", "Telemetry", "TestKit",
            ]),
        tests("StorageTests", ["Base", "CSQLite", "Storage", "TestKit"]),
        tests("SettingsTests", ["Base", "JSON", "Settings"]),
        tests("SubprocessesTests", ["Base", "Subprocesses"]),
        tests("TelemetryTests", ["Base", "Telemetry"]),
        tests("STIXTests", ["Base", "JSON", "STIX", "Vectors"]),
        tests("ArchivesTests", ["Archives", "Base", "CZlib", "Hashing"]),
        tests("OCSFTests", ["JSON", "OCSF"]),
        tests("OpenCTITests", ["Base", "HTTPClient", "Hashing", "JSON", "OpenCTI", "STIX", "Vectors"]),
        tests("FalconTests", ["Base", "Falcon", "HTTPClient", "JSON", "TestKit", "Vectors"]),
        tests("SekoiaTests", ["Base", "HTTPClient", "JSON", "Sekoia", "TestKit"]),
        tests(
            "SymphonyTests",
            ["Base", "ConnectorKit", "HTTPClient", "HTTPServer", "JSON", "Settings", "Telemetry", "TestKit"]),
        tests(
            "FalconTelemetryTests",
            [
                "Base", "CRdKafka", "ConnectorKit", "Engine", "Falcon", "FalconTelemetry", "HTTPClient", "JSON",
                "Sekoia",
                "Storage",
                "Telemetry", "TestKit", "Vectors",
            ]),
        tests(
            "SandboxTriageTests",
            [
                "Base", "Engine", "Falcon", "FalconSimulator", "HTTPClient", "JSON", "SandboxTriage", "Settings",
                "SimulatorKit", "Storage",
                "Telemetry", "TestKit", "VMRay", "VMRaySimulator", "Vectors",
            ]),
        tests("VMRayTests", ["Base", "HTTPClient", "JSON", "TestKit", "VMRay", "Vectors"]),
        tests("CrowdSecTests", ["Base", "CrowdSec", "HTTPClient", "JSON", "TestKit", "Vectors"]),
        tests(
            "CrowdSecEnrichmentTests",
            [
                "Base", "ConnectorKit", "CrowdSec", "CrowdSecEnrichment", "Engine", "HTTPClient", "JSON", "OpenCTI",
                "STIX", "Settings", "Storage", "Telemetry", "TestKit", "Vectors",
            ]),
        tests("EngineTests", ["Base", "Engine", "NetAddress", "Settings", "Storage", "Telemetry", "TestKit"]),
        tests("SimulationTests", ["Base", "Engine", "NetAddress", "Storage"]),
        tests(
            "FalconIndicatorsTests",
            [
                "Base", "ConnectorKit", "Engine", "Falcon", "FalconIndicators", "FlowTestKit", "HTTPClient", "JSON",
                "OpenCTI", "STIX", "Storage", "Telemetry", "TestKit", "Vectors",
            ]),
        tests("ConnectorKitTests", ["Base", "ConnectorKit", "Engine", "Falcon", "HTTPClient", "TestKit"]),
        tests(
            "FalconActionsTests",
            ["Base", "Engine", "Falcon", "FalconActions", "HTTPClient", "JSON", "Telemetry", "TestKit", "Vectors"]),
        tests(
            "FalconInventoriesTests",
            [
                "Base", "Engine", "Falcon", "FalconInventories", "HTTPClient", "JSON", "OCSF", "Sekoia", "Storage",
                "Telemetry", "TestKit", "Vectors",
            ]),
        tests(
            "HarfangLabIntelTests",
            [
                "Base", "ConnectorKit", "Engine", "FlowTestKit", "HTTPClient", "HarfangLab", "HarfangLabIntel", "JSON",
                "OpenCTI", "Rules", "Storage", "Telemetry", "TestKit", "Vectors",
            ]),
        tests(
            "HarfangLabTests",
            [
                "Base", "ConnectorKit", "HTTPClient", "HarfangLab", "HarfangLabBoth", "HarfangLabIncidents",
                "HarfangLabIntel", "JSON", "Settings", "Vectors",
            ]),
        tests("RulesTests", ["Base", "Rules"]),
        tests(
            "HarfangLabIncidentsTests",
            [
                "Base", "ConnectorKit", "Engine", "HTTPClient", "HarfangLab", "HarfangLabIncidents", "JSON", "STIX",
                "Storage", "Telemetry", "TestKit", "Vectors",
            ]),
        tests(
            "SimulatorTests",
            [
                "Base", "CrowdSecSimulator",
                "FalconSimulator", "HTTPClient", "HTTPServer", "JSON", "OpenCTISimulator", "SimulatorKit",
                "VMRaySimulator", "Vectors",
            ]),
        tests("CommandLineTests", ["Base", "JSON", "Settings", "sallyport"]),
    ],
    cxxLanguageStandard: .cxx17
)

// The fuzzers need libFuzzer's flags, so they exist only for `make fuzz`, which builds them in a folder of their own.
if Context.environment["SALLYPORT_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "Archives", "Base", "CSimdjson", "Hashing", "JSON", "NetAddress", "OpenCTI", "STIX", "Settings",
            ],
            path: "Fuzz", exclude: ["README.md", "corpus"], swiftSettings: strict))
}
