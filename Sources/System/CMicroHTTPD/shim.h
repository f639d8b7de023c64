// SPDX-License-Identifier: Apache-2.0
// MHD_start_daemon, MHD_get_daemon_info and MHD_get_connection_info are variadic, which Swift cannot call: one typed
// wrapper each. sp_mhd_abort needs a sockaddr that glibc's transparent union hides from Swift.
#pragma once
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>

struct sp_mhd_settings {
    int listen_socket;
    unsigned int threads;
    unsigned int max_connections;
    unsigned int idle_seconds;
    size_t connection_bytes;
    MHD_AccessHandlerCallback handle;
    void *(*begin)(void *context, const char *uri, struct MHD_Connection *connection);
    MHD_RequestCompletedCallback completed;
    void *context;
    // PEM texts; `certificate` NULL serves without TLS.
    const char *certificate;
    const char *key;
    const char *passphrase;
};

/// Whether the library was built with TLS and can read encrypted keys.
static inline int sp_mhd_has_tls(void) {
    return MHD_is_feature_supported(MHD_FEATURE_TLS) == MHD_YES
        && MHD_is_feature_supported(MHD_FEATURE_HTTPS_KEY_PASSWORD) == MHD_YES;
}

// Leaves percent-encoding in place: the server decodes paths itself.
static inline size_t sp_mhd_keep_escapes(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}

static inline struct MHD_Daemon *sp_mhd_start(const struct sp_mhd_settings *settings) {
    unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_SUSPEND_RESUME;
    struct MHD_OptionItem more[6] = {{MHD_OPTION_END, 0, NULL}};
    int count = 0;
    // A pool of one is no pool: the library wants at least two.
    if (settings->threads >= 2)
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, settings->threads, NULL};
    if (settings->certificate) {
        flags |= MHD_USE_TLS;
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)settings->certificate};
        more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)settings->key};
        more[count++] = (struct MHD_OptionItem){
            MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"};
        if (settings->passphrase)
            more[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_KEY_PASSWORD, 0, (void *)settings->passphrase};
    }
    more[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    return MHD_start_daemon(
        (enum MHD_FLAG)flags, 0, NULL, NULL, settings->handle, settings->context,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)settings->listen_socket,
        MHD_OPTION_CONNECTION_LIMIT, settings->max_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, settings->idle_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, settings->connection_bytes,
        MHD_OPTION_URI_LOG_CALLBACK, settings->begin, settings->context,
        MHD_OPTION_NOTIFY_COMPLETED, settings->completed, settings->context,
        MHD_OPTION_UNESCAPE_CALLBACK, sp_mhd_keep_escapes, NULL,
        MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

/// The socket of a connection, or -1.
static inline int sp_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? (int)info->connect_fd : -1;
}

/// The peer's address, valid as long as the connection; NULL when unknown.
static inline const struct sockaddr *sp_mhd_peer(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

/// Bytes of request line and header as received.
static inline size_t sp_mhd_header_size(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

/// Ends a TCP connection with a reset instead of an orderly close: on Linux, connecting a connected socket to "no
/// address" disconnects it at once.
static inline void sp_socket_abort(int socket) {
    struct sockaddr none;
    memset(&none, 0, sizeof none);
    none.sa_family = AF_UNSPEC;
    connect(socket, &none, sizeof none);
}
