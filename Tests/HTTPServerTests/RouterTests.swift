// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import Testing

@Suite("Router") struct RouterTests {
    private func router() -> Router {
        var router = Router()
        func say(_ text: String) -> RequestHandler {
            { request in
                let values = request.parameters.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
                return .now(.text(([text] + values).joined(separator: " ")))
            }
        }
        router.get("/", say("root"))
        router.get("/iocs/queries/indicators/v1", say("search"))
        router.post("/iocs/queries/indicators/v1", say("post"))
        router.get("/stream/{id}", say("stream"))
        router.get("/stream/{id}/info", say("info"))
        router.on("DELETE", "/stream/live", say("delete live"))
        router.get("/stream/{id}/{part}", say("part"))
        router.get("/files/{rest...}", say("files"))
        return router
    }

    private func answer(_ method: String, _ target: String) -> (status: Int, text: String, headers: ServerHeaders) {
        guard case .now(let response) = router().answer(to: ServerRequest(method: method, target: target)),
            case .bytes(let bytes) = response.body
        else { return (0, "", [:]) }
        return (response.status, String(decoding: bytes, as: UTF8.self), response.headers)
    }

    @Test(arguments: [
        ("/", "root"), ("/iocs/queries/indicators/v1?filter=x", "search"), ("/stream/abc", "stream id=abc"),
        ("/stream/a%2Fb%20c", "stream id=a/b c"), ("/stream/x/info", "info id=x"),
        ("/stream/x/y", "part id=x part=y"), ("/files/a/b/c", "files rest=a/b/c"), ("/stream/live", "stream id=live"),
    ]) func `finds the most literal route`(_ target: String, _ text: String) {
        #expect(answer("GET", target).text == text)
    }

    @Test(arguments: ["/nowhere", "/stream", "/stream/", "/stream/a/b/c", "/files", "/iocs/queries/indicators/v1/"])
    func `finds nothing else`(_ target: String) { #expect(answer("GET", target).status == 404) }

    @Test func `names the methods of a path that exists`() {
        let reply = answer("PUT", "/iocs/queries/indicators/v1")
        #expect(reply.status == 405)
        #expect(reply.headers["allow"] == "GET, POST")
        #expect(answer("HEAD", "/stream/x").text == "stream id=x")
        #expect(answer("DELETE", "/stream/live").text == "delete live")
    }
}
