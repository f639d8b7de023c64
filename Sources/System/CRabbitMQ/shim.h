// SPDX-License-Identifier: Apache-2.0
// What Swift cannot call or see of librabbitmq: its variadic login, and unions inside of structs.
#pragma once
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

static inline amqp_table_entry_t sp_amqp_flag(const char *name) {
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(name)};
    entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    entry.value.value.boolean = 1;
    return entry;
}
static inline amqp_table_entry_t sp_amqp_text(const char *name, const char *text) {
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes(name)};
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = amqp_cstring_bytes(text);
    return entry;
}

/// Logs in with PLAIN and tells the broker what we understand: confirms with nacks, cancellations, memory alarms.
static inline amqp_rpc_reply_t sp_amqp_login(amqp_connection_state_t connection, const char *virtual_host, int channels,
                                             int frame_bytes, int heartbeat, const char *name, const char *user,
                                             const char *password) {
    amqp_table_entry_t known[] = {sp_amqp_flag("publisher_confirms"), sp_amqp_flag("basic.nack"),
                                  sp_amqp_flag("consumer_cancel_notify"), sp_amqp_flag("connection.blocked")};
    amqp_table_entry_t capabilities = {.key = amqp_cstring_bytes("capabilities")};
    capabilities.value.kind = AMQP_FIELD_KIND_TABLE;
    capabilities.value.value.table.num_entries = 4;
    capabilities.value.value.table.entries = known;
    amqp_table_entry_t entries[] = {capabilities, sp_amqp_text("product", "Sallyport"),
                                    sp_amqp_text("connection_name", name)};
    amqp_table_t properties = {3, entries};
    return amqp_login_with_properties(connection, virtual_host, channels, frame_bytes, heartbeat, &properties,
                                      AMQP_SASL_METHOD_PLAIN, user, password);
}

// Times in milliseconds: `timeval` belongs to another module in Swift.
static inline struct timeval sp_amqp_time(int milliseconds) {
    struct timeval time = {milliseconds / 1000, milliseconds % 1000 * 1000};
    return time;
}
/// How long the login and each call with an answer may take.
static inline void sp_amqp_set_patience(amqp_connection_state_t connection, int milliseconds) {
    struct timeval time = sp_amqp_time(milliseconds);
    amqp_set_handshake_timeout(connection, &time);
    amqp_set_rpc_timeout(connection, &time);
}
static inline int sp_amqp_open(amqp_socket_t *socket, const char *host, int port, int milliseconds) {
    struct timeval time = sp_amqp_time(milliseconds);
    return amqp_socket_open_noblock(socket, host, port, &time);
}
/// The next frame that is there already; AMQP_STATUS_TIMEOUT when none is.
static inline int sp_amqp_next_frame(amqp_connection_state_t connection, amqp_frame_t *frame) {
    struct timeval time = sp_amqp_time(0);
    return amqp_simple_wait_frame_noblock(connection, frame, &time);
}

static inline amqp_method_number_t sp_amqp_method(const amqp_frame_t *frame) { return frame->payload.method.id; }
static inline void *sp_amqp_decoded(const amqp_frame_t *frame) { return frame->payload.method.decoded; }
static inline uint64_t sp_amqp_body_size(const amqp_frame_t *frame) { return frame->payload.properties.body_size; }
static inline amqp_basic_properties_t *sp_amqp_properties(const amqp_frame_t *frame) {
    return (amqp_basic_properties_t *)frame->payload.properties.decoded;
}
static inline amqp_bytes_t sp_amqp_fragment(const amqp_frame_t *frame) { return frame->payload.body_fragment; }

/// The text `utf-8`, which lives for ever.
static inline amqp_bytes_t sp_amqp_utf8(void) { return amqp_cstring_bytes("utf-8"); }

static inline amqp_bytes_t sp_amqp_direct(void) { return amqp_cstring_bytes("direct"); }

/// `x-delivery-count` of a quorum queue; -1 where there is none.
static inline int64_t sp_amqp_delivery_count(const amqp_basic_properties_t *properties) {
    if (!properties || !(properties->_flags & AMQP_BASIC_HEADERS_FLAG)) return -1;
    for (int i = 0; i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        if (entry->key.len != 16 || memcmp(entry->key.bytes, "x-delivery-count", 16) != 0) continue;
        switch (entry->value.kind) {
        case AMQP_FIELD_KIND_I64: return entry->value.value.i64;
        case AMQP_FIELD_KIND_I32: return entry->value.value.i32;
        case AMQP_FIELD_KIND_U8: return entry->value.value.u8;
        case AMQP_FIELD_KIND_I8: return entry->value.value.i8;
        case AMQP_FIELD_KIND_I16: return entry->value.value.i16;
        default: return -1;
        }
    }
    return -1;
}

/// Has OpenSSL check the certificate's name: the library's own check knows no addresses. 1 on success.
static inline int sp_amqp_expect_name(amqp_socket_t *socket, const char *host) {
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param((SSL_CTX *)amqp_ssl_socket_get_context(socket));
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1) return 1;
    return X509_VERIFY_PARAM_set1_host(param, host, 0);
}

/// Trusts the system's authorities. 1 on success.
static inline int sp_amqp_trust_system(amqp_socket_t *socket) {
    return SSL_CTX_set_default_verify_paths((SSL_CTX *)amqp_ssl_socket_get_context(socket));
}

/// Trusts the certificates of a PEM text. Gives how many there were.
static inline int sp_amqp_trust_text(amqp_socket_t *socket, const char *pem) {
    X509_STORE *store = SSL_CTX_get_cert_store((SSL_CTX *)amqp_ssl_socket_get_context(socket));
    BIO *text = BIO_new_mem_buf(pem, -1);
    int count = 0;
    X509 *certificate;
    while (text && (certificate = PEM_read_bio_X509(text, NULL, NULL, NULL))) {
        if (X509_STORE_add_cert(store, certificate) == 1) count++;
        X509_free(certificate);
    }
    BIO_free(text);
    return count;
}

/// Shows a client certificate (with its chain) and its key, both PEM texts. 1 on success.
static inline int sp_amqp_use_certificate(amqp_socket_t *socket, const char *certificates, const char *key,
                                          const char *passphrase) {
    SSL_CTX *context = (SSL_CTX *)amqp_ssl_socket_get_context(socket);
    BIO *text = BIO_new_mem_buf(certificates, -1);
    X509 *certificate = PEM_read_bio_X509(text, NULL, NULL, NULL);
    int ok = certificate && SSL_CTX_use_certificate(context, certificate) == 1;
    X509_free(certificate);
    // Of the chain: add0 takes the certificate over.
    while (ok && (certificate = PEM_read_bio_X509(text, NULL, NULL, NULL))) SSL_CTX_add0_chain_cert(context, certificate);
    BIO_free(text);
    BIO *secret = BIO_new_mem_buf(key, -1);
    // A passphrase, also an empty one, keeps OpenSSL from asking at the terminal.
    EVP_PKEY *parsed = PEM_read_bio_PrivateKey(secret, NULL, NULL, (void *)passphrase);
    BIO_free(secret);
    ok = ok && parsed && SSL_CTX_use_PrivateKey(context, parsed) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(parsed);
    return ok;
}
