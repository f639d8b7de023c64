// SPDX-License-Identifier: Apache-2.0

extension CodeReference {
    static let broker = Area(
        title: "RabbitMQ",
        introduction: "Connections come back by themselves; what was not confirmed or acknowledged is done again.",
        codes: [
            .init(
                "broker.unreachable", "No connection to the broker.",
                "Check MQ_HOST and MQ_PORT, or what OpenCTI hands out, and the firewall between."),
            .init(
                "broker.tls", "The encrypted connection fails: authority, name, or a file of ours.",
                "Give the broker's CA as MQ_USE_SSL_CA."),
            .init("broker.refused", "The broker refuses the login.", "Check MQ_USER, MQ_PASS and MQ_VHOST."),
            .init("broker.lost", "The connection was lost or closed by the broker: it is opened again."),
            .init("broker.no_queue", "The connector's queue does not exist: OpenCTI makes it again at the next ping."),
            .init("broker.unroutable", "A message found no queue: it is sent again once OpenCTI has made the queue."),
            .init("broker.too_large", "A message is larger than what may be sent.", "Look at what the bundle holds."),
            .init("broker.closed", "The connection was closed because the connector stops."),
        ])

    static let enrichment = Area(
        title: "Enrichment",
        introduction: "What an analyst reads in the work is the message of the same code.",
        codes: [
            .init(
                "opencti.bad_message", "A request that can't be read: it is a dead letter, its work in error.",
                "Look at it with `sallyport dlq`."),
            .init(
                "opencti.no_entity", "The entity does not exist or the connector's user may not see it.",
                "Check the user's groups and markings."),
            .init("enrichment.too_large", "A request larger than what is kept in memory: a dead letter."),
            .init(
                "enrichment.crashed", "A request that ended the program three times: a dead letter.",
                "Report it with the message that `sallyport dlq show` gives."),
            .init("enrichment.failed", "An enrichment failed in a way that trying again does not mend."),
            .init("enrichment.given_up", "A request that could not be done within a day: a dead letter."),
            .init(
                "enrichment.listener", "The listener for requests can't be opened.",
                "Check CONNECTOR_LISTEN_PROTOCOL_API_PORT."),
            .init(
                "bundle.directory", "A bundle can't be written to CONNECTOR_SEND_TO_DIRECTORY_PATH.",
                "Check the folder and its owner."),
            .init(
                "bundle.bucket", "The S3 service did not take a bundle.", "Check keys, region, bucket and its policy."),
        ])
}
