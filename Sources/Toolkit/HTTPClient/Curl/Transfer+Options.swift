// SPDX-License-Identifier: Apache-2.0

import Base
import CCurl

/// How a request becomes libcurl options. Redirects are ours, so `FOLLOWLOCATION` stays off.
extension Transfer {
    func configure(_ easy: EasyHandle) {
        let handle = easy.pointer
        easy.errorText.pointee = 0
        sp_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, easy.errorText)
        sp_curl_set_string(handle, CURLOPT_URL, hop.address.text)
        sp_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https")
        sp_curl_set_long(handle, CURLOPT_PATH_AS_IS, 1)
        sp_curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        sp_curl_set_long(handle, CURLOPT_TCP_KEEPALIVE, 1)
        // Each call has a buffer of its own; answers that are taken whole are small as a rule.
        sp_curl_set_long(handle, CURLOPT_BUFFERSIZE, isStream ? 64 << 10 : 16 << 10)
        let timeouts = options.configuration.timeouts
        sp_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, max(1, Int(clamping: timeouts.connect.milliseconds)))
        let idle = options.configuration.limits.idleLifetime
        sp_curl_set_long(handle, CURLOPT_MAXAGE_CONN, Int(clamping: idle.components.seconds))
        setVersion(handle)
        setCallbacks(handle)
        setMethod(handle)
        setFields(handle)
        setTLS(handle)
        setProxy(handle)
        setSignature(handle)
    }

    private func setSignature(_ handle: UnsafeMutableRawPointer) {
        guard let signature = hop.request.signature else { return }
        sp_curl_set_string(handle, CURLOPT_AWS_SIGV4, "aws:amz:\(signature.region):\(signature.service)")
        sp_curl_set_string(handle, CURLOPT_USERNAME, signature.accessKey.reveal())
        sp_curl_set_string(handle, CURLOPT_PASSWORD, signature.secretKey.reveal())
    }

    private func setVersion(_ handle: UnsafeMutableRawPointer) {
        // In libcurl 7.88 a paused HTTP/2 stream stops its whole connection; nor is HTTP/2 spoken without TLS.
        let offersHTTP2 = options.configuration.offersHTTP2 && hop.address.isSecure && !isStream
        let version = offersHTTP2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1
        sp_curl_set_long(handle, CURLOPT_HTTP_VERSION, version)
        // Wait for a connection that may turn out to carry many requests, rather than open one for each.
        sp_curl_set_long(handle, CURLOPT_PIPEWAIT, offersHTTP2 ? 1 : 0)
    }

    private func setCallbacks(_ handle: UnsafeMutableRawPointer) {
        // The driver holds the transfer as long as the handle is in use.
        let context = Unmanaged.passUnretained(self).toOpaque()
        sp_curl_set_callback(handle, CURLOPT_WRITEFUNCTION, transferReceivesBody)
        sp_curl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        sp_curl_set_callback(handle, CURLOPT_HEADERFUNCTION, transferReceivesHead)
        sp_curl_set_pointer(handle, CURLOPT_HEADERDATA, context)
        sp_curl_set_callback(handle, CURLOPT_READFUNCTION, transferSends)
        sp_curl_set_pointer(handle, CURLOPT_READDATA, context)
        sp_curl_set_seek(handle, transferRewinds)
        sp_curl_set_pointer(handle, CURLOPT_SEEKDATA, context)
        sp_curl_set_long(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    }

    private func setMethod(_ handle: UnsafeMutableRawPointer) {
        let method = hop.request.method
        if upload.isPresent || [.post, .put, .patch].contains(method) {
            // Always the form of a POST: it alone takes a read callback, any method name and a size of zero.
            sp_curl_set_long(handle, CURLOPT_POST, 1)
            sp_curl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(upload.length ?? -1))
            if !upload.isPresent { sp_curl_set_string(handle, CURLOPT_POSTFIELDS, "") }
            if method != .post { sp_curl_set_string(handle, CURLOPT_CUSTOMREQUEST, method.rawValue) }
        } else if method == .head {
            sp_curl_set_long(handle, CURLOPT_NOBODY, 1)
        } else {
            sp_curl_set_long(handle, CURLOPT_HTTPGET, 1)
            if method != .get { sp_curl_set_string(handle, CURLOPT_CUSTOMREQUEST, method.rawValue) }
        }
    }

    private func setFields(_ handle: UnsafeMutableRawPointer) {
        sp_curl_set_string(handle, CURLOPT_USERAGENT, options.configuration.userAgent)
        let headers = hop.request.headers
        // A name with a colon and nothing else takes libcurl's own field away; "100-continue" costs a round trip.
        // Not where libcurl signs: 7.88 takes such a line into the signature and then does not send it.
        let isSigned = hop.request.signature != nil
        var lines = isSigned ? [] : ["Expect:"]
        if let contentType = upload.contentType {
            lines.append("Content-Type: \(contentType)")
        } else if headers["Content-Type"] == nil, !isSigned {
            lines.append("Content-Type:")
        }
        if headers["Accept-Encoding"] == nil { lines.append("Accept-Encoding: gzip") }
        for field in headers.fields {
            let name = field.name.lowercased()
            // The framing is the transport's business.
            if name == "content-length" || name == "transfer-encoding" || name == "expect" { continue }
            if name == "content-type", upload.contentType != nil { continue }
            // A semicolon is libcurl's way to send a field without a value.
            lines.append(field.value.trimmed.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        for line in lines { headerList = curl_slist_append(headerList, line) }
        sp_curl_set_list(handle, CURLOPT_HTTPHEADER, headerList)
        sp_curl_set_long(handle, CURLOPT_HEADEROPT, Int(CURLHEADER_SEPARATE))
    }

    private func setTLS(_ handle: UnsafeMutableRawPointer) {
        let tls = options.configuration.tls
        let minimum = tls.minimumVersion == .tls13 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2
        for option in [CURLOPT_SSLVERSION, CURLOPT_PROXY_SSLVERSION] {
            sp_curl_set_long(handle, option, minimum)
        }
        for option in [CURLOPT_SSL_VERIFYPEER, CURLOPT_PROXY_SSL_VERIFYPEER] {
            sp_curl_set_long(handle, option, tls.verifies ? 1 : 0)
        }
        for option in [CURLOPT_SSL_VERIFYHOST, CURLOPT_PROXY_SSL_VERIFYHOST] {
            sp_curl_set_long(handle, option, tls.verifies ? 2 : 0)
        }
        if tls.verifies {
            setAuthorities(handle, file: CURLOPT_CAINFO, folder: CURLOPT_CAPATH, text: CURLOPT_CAINFO_BLOB)
            setAuthorities(
                handle, file: CURLOPT_PROXY_CAINFO, folder: CURLOPT_PROXY_CAPATH, text: CURLOPT_PROXY_CAINFO_BLOB)
        }
        guard let client = tls.clientCertificate, hop.showsClientCertificate else { return }
        set(handle, client.certificate, file: CURLOPT_SSLCERT, text: CURLOPT_SSLCERT_BLOB)
        set(handle, client.key, file: CURLOPT_SSLKEY, text: CURLOPT_SSLKEY_BLOB)
        if let passphrase = client.passphrase { sp_curl_set_string(handle, CURLOPT_KEYPASSWD, passphrase.reveal()) }
    }

    // libcurl's defaults are the system's bundle and folder. It keeps what it parsed only while no folder is set.
    private func setAuthorities(
        _ handle: UnsafeMutableRawPointer, file: CURLoption, folder: CURLoption, text: CURLoption
    ) {
        switch options.authorities {
        case .system: sp_curl_set_string(handle, folder, nil)
        case .file(let path):
            sp_curl_set_string(handle, file, path)
            sp_curl_set_string(handle, folder, nil)
        case .text(let pem, let plusSystem):
            pem.withUnsafeBytes { _ = sp_curl_set_blob(handle, text, $0.baseAddress, $0.count) }
            if !plusSystem { sp_curl_set_string(handle, folder, nil) }
        }
    }

    private func set(
        _ handle: UnsafeMutableRawPointer, _ source: TLSConfiguration.PEM, file: CURLoption, text: CURLoption
    ) {
        switch source {
        case .file(let path): sp_curl_set_string(handle, file, path)
        case .text(let pem):
            Array(pem.reveal().utf8).withUnsafeBytes { _ = sp_curl_set_blob(handle, text, $0.baseAddress, $0.count) }
        }
    }

    private func setProxy(_ handle: UnsafeMutableRawPointer) {
        // An empty text keeps libcurl from looking into the environment itself; so does the exception list.
        let proxy = options.proxies.proxy(for: hop.address)
        sp_curl_set_string(handle, CURLOPT_PROXY, proxy?.url.reveal() ?? "")
        if let proxy { sp_curl_set_long(handle, CURLOPT_PROXYPORT, proxy.defaultPort) }
        sp_curl_set_string(handle, CURLOPT_NOPROXY, "")
    }
}

private func transferReceivesBody(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    return transfer.receiveBody(UnsafeRawBufferPointer(start: data, count: size * count))
}

private func transferReceivesHead(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    return transfer.receiveHead(UnsafeRawBufferPointer(start: data, count: size * count))
}

private func transferSends(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return Int(CURL_READFUNC_ABORT) }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    return transfer.send(into: UnsafeMutableRawBufferPointer(start: data, count: size * count))
}

private func transferRewinds(_ context: UnsafeMutableRawPointer?, _ offset: curl_off_t, _ origin: Int32) -> Int32 {
    guard let context, origin == 0 else { return CURL_SEEKFUNC_FAIL }
    return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().rewind(to: Int64(offset))
}
