// SPDX-License-Identifier: Apache-2.0

public import Base
public import Settings

/// Settings of every connector that sends bundles: enrichments and imports. Source: OpenCTI protocol, 2.2 and 7.
public enum BundleSettings {
    public enum QueueProtocol: String, SettingChoice {
        case amqp
        case api
        public var settingDoc: String {
            switch self {
            case .amqp: "to the connector's queue on RabbitMQ"
            case .api: "through the platform's API; needs OpenCTI 6.3"
            }
        }
    }
    public enum Form: String, SettingChoice {
        case split
        case whole
        public var settingDoc: String {
            switch self {
            case .split: "one message an object, dependencies first, as the originals"
            case .whole: "one message a bundle, which OpenCTI's worker splits (from 6.3 on)"
            }
        }
    }

    public static let queueProtocol = Setting<QueueProtocol>(
        "connector.queue_protocol", default: .amqp, "How bundles are sent."
    ).orVariables("QUEUE_PROTOCOL")
    public static let form = Setting<Form>(
        "connector.bundle_form", default: .split, "What goes into one message of the queue.")
    public static let sendsToQueue = Setting<Bool>(
        "connector.send_to_queue", default: true, "Whether bundles are sent at all, and works are reported.")
    public static let validates = Setting<Bool>(
        "connector.validate_before_import", default: false,
        "Whether bundles wait in a draft or workbench for somebody to accept them.")
    public static let sendsToDirectory = Setting<Bool>(
        "connector.send_to_directory", default: false, "Whether bundles are also written as files.")
    public static let directory = Setting<FilePath?>(
        "connector.send_to_directory_path", "The folder for them."
    ).relevant(when: sendsToDirectory)
    public static let directoryRetention = Setting<Int>(
        "connector.send_to_directory_retention", default: 7, "Days after which files there are deleted; 0 keeps them."
    ).atLeast(0).relevant(when: sendsToDirectory)
    public static let sendsToS3 = Setting<Bool>(
        "connector.send_to_s3", default: false, "Whether bundles are also uploaded to an S3 bucket.")
    public static let s3Bucket = Setting<String?>(
        "connector.send_to_s3_bucket", "The bucket; without it, the platform's."
    ).relevant(when: sendsToS3)
    public static let s3Folder = Setting<String>(
        "connector.send_to_s3_folder", default: "connectors", "The folder in it."
    ).relevant(when: sendsToS3)
    public static let s3Retention = Setting<Int>(
        "connector.send_to_s3_retention", default: 7, "Days after which objects there are deleted; 0 keeps them."
    ).atLeast(0).relevant(when: sendsToS3)
    public static let s3Endpoint = Setting<String?>(
        "s3.endpoint", "Host of the S3 service; without it, the platform's.")
    public static let s3Port = Setting<Int?>("s3.port", "Its port.").within(1...65535)
    public static let s3AccessKey = Setting<Secret?>("s3.access_key", "Access key; without it, the platform's.")
    public static let s3SecretKey = Setting<Secret?>("s3.secret_key", "Secret key; without it, the platform's.")
    public static let s3UsesTLS = Setting<Bool?>("s3.use_ssl", "Whether the service speaks TLS.")
    public static let s3Region = Setting<String?>("s3.bucket_region", "Region of the bucket.")

    public static let brokerHost = Setting<String?>(
        "mq.host", "RabbitMQ's host; without it, what OpenCTI hands out.")
    public static let brokerPort = Setting<Int?>("mq.port", "RabbitMQ's port.").within(1...65535)
    public static let brokerVirtualHost = Setting<String?>("mq.vhost", "RabbitMQ's virtual host.")
    public static let brokerUser = Setting<Secret?>("mq.user", "RabbitMQ's user.")
    public static let brokerPassword = Setting<Secret?>("mq.pass", "RabbitMQ's password.")
    public static let brokerUsesTLS = Setting<Bool?>("mq.use_ssl", "Whether RabbitMQ is reached over TLS.")
    public static let brokerVerifies = Setting<Bool>(
        "mq.use_ssl_reject_unauthorized", default: true,
        "Whether RabbitMQ's certificate is checked. The original's own default was false; here an explicit `false` is "
            + "honoured with a warning.")
    public static let brokerAuthorities = Setting<FilePath?>(
        "mq.use_ssl_ca", "PEM text or file of the CA that signed RabbitMQ's certificate.")
    public static let brokerCertificate = Setting<FilePath?>(
        "mq.use_ssl_cert", "PEM text or file of a client certificate.")
    public static let brokerKey = Setting<Secret?>("mq.use_ssl_key", "PEM text or file of its key.")
    public static let brokerPassphrase = Setting<Secret?>("mq.use_ssl_passphrase", "Passphrase of the key.")

    public static let all: [any AnySetting] = [
        queueProtocol, form, sendsToQueue, validates, sendsToDirectory, directory, directoryRetention, sendsToS3,
        s3Bucket,
        s3Folder, s3Retention, s3Endpoint, s3Port, s3AccessKey, s3SecretKey, s3UsesTLS, s3Region, brokerHost,
        brokerPort,
        brokerVirtualHost, brokerUser, brokerPassword, brokerUsesTLS, brokerVerifies, brokerAuthorities,
        brokerCertificate, brokerKey, brokerPassphrase,
    ]
}

/// Settings of connectors that run now and then. Source: OpenCTI protocol, 2.2 and 6.
public enum ScheduleSettings {
    public static let runsOnce = Setting<Bool>(
        "connector.run_and_terminate", default: false, "One run, then the process ends.")
    public static let period = Setting<Duration?>(
        "connector.duration_period", "Time between two runs, ISO 8601; 0 means one run.")
    public static let queueThreshold = Setting<Double>(
        "connector.queue_threshold", default: 500,
        "MB waiting in the connector's push queue above which a run is skipped."
    ).atLeast(0)

    public static let all: [any AnySetting] = [runsOnce, period, queueThreshold]
}
