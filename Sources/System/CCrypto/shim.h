// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <string.h>

// Public keys from their numbers, and signatures in the form of JSON Web Tokens: libcrypto wants builders and macros.

static inline EVP_PKEY *sp_key_from(const char *type, OSSL_PARAM_BLD *build) {
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (parameters && context && EVP_PKEY_fromdata_init(context) == 1)
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return key;
}

/// An RSA public key of a modulus and an exponent, big-endian; NULL when they are none.
static inline EVP_PKEY *sp_rsa_key(const uint8_t *n, size_t n_size, const uint8_t *e, size_t e_size) {
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(n, (int)n_size, NULL), *exponent = BN_bin2bn(e, (int)e_size, NULL);
    EVP_PKEY *key = NULL;
    if (build && modulus && exponent && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent))
        key = sp_key_from("RSA", build);
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(build);
    return key;
}

/// A key on `curve` (`P-256`) of an uncompressed point, `04 x y`; NULL when it lies beside the curve.
static inline EVP_PKEY *sp_ec_key(const char *curve, const uint8_t *point, size_t size) {
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, size))
        key = sp_key_from("EC", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static inline EVP_PKEY *sp_ed25519_key(const uint8_t *point, size_t size) {
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point, size);
}

/// 1 when the signature fits. `digest` is NULL for Ed25519; `halves` says that the signature is r and s one after the
/// other (ECDSA in tokens), `is_pss` that it is RSA-PSS with a salt as long as the digest.
static inline int sp_verify(EVP_PKEY *key, const char *digest, int halves, int is_pss, const uint8_t *signature,
                            size_t size, const uint8_t *text, size_t text_size) {
    uint8_t *der = NULL;
    if (halves) {
        ECDSA_SIG *numbers = ECDSA_SIG_new();
        BIGNUM *r = BN_bin2bn(signature, (int)(size / 2), NULL);
        BIGNUM *s = BN_bin2bn(signature + size / 2, (int)(size - size / 2), NULL);
        int length = numbers && r && s && ECDSA_SIG_set0(numbers, r, s) ? i2d_ECDSA_SIG(numbers, &der) : -1;
        ECDSA_SIG_free(numbers);
        if (length <= 0) return 0;
        signature = der;
        size = (size_t)length;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *details = NULL;
    int ok = context && EVP_DigestVerifyInit_ex(context, &details, digest, NULL, NULL, key, NULL) == 1;
    if (ok && is_pss)
        ok = EVP_PKEY_CTX_set_rsa_padding(details, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(details, RSA_PSS_SALTLEN_DIGEST) == 1;
    ok = ok && EVP_DigestVerify(context, signature, size, text, text_size) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    return ok;
}

/// A new Ed25519 key pair.
static inline EVP_PKEY *sp_ed25519_pair(void) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
    EVP_PKEY *key = NULL;
    if (context && EVP_PKEY_keygen_init(context) == 1) EVP_PKEY_keygen(context, &key);
    EVP_PKEY_CTX_free(context);
    return key;
}

/// Writes the 64 bytes of an Ed25519 signature. 1 on success.
static inline int sp_ed25519_sign(EVP_PKEY *key, const uint8_t *text, size_t size, uint8_t *signature) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t length = 64;
    int ok = context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
             EVP_DigestSign(context, signature, &length, text, size) == 1 && length == 64;
    EVP_MD_CTX_free(context);
    return ok;
}
