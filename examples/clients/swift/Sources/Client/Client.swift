// Starts a password reset with URLSession, pointed at authreset by the URL alone.
import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

struct Missing: Error {
    let setting: String
}

struct Answer {
    let status: Int
    let text: String?
    let explanation: String?

    init(_ response: URLResponse?, _ data: Data) {
        status = (response as? HTTPURLResponse)?.statusCode ?? 0
        let json = try? JSONSerialization.jsonObject(with: data)
        let body = json as? [String: Any]
        let details = body?["responseData"] as? [String: Any]
        text = body?["responseText"] as? String
        explanation = details?["explanation"] as? String
    }

    func isAsPromised(_ expected: Int) -> Bool {
        let told = expected == 200 ? text == "Success" : text != nil && explanation != nil
        return status == expected && told
    }
}

func setting(_ name: String) throws -> String {
    guard let value = ProcessInfo.processInfo.environment[name] else {
        throw Missing(setting: name)
    }
    return value
}

func ask(_ token: String, _ parameters: [String: Any]) async throws -> Answer {
    let base = try setting("AUTHRESET_BASE_URL")
    guard let url = URL(string: base + "/User/authreset") else {
        throw URLError(.badURL)
    }
    var request = URLRequest(url: url, cachePolicy: .useProtocolCachePolicy, timeoutInterval: 20.0)
    request.httpMethod = "POST"
    request.allHTTPHeaderFields = ["requestToken": token, "Content-Type": "application/json"]
    request.httpBody = try JSONSerialization.data(withJSONObject: parameters, options: [])
    return try await send(request)
}

// URLSession reports no error for a refusal: 401 and 400 are answers like any other.
func send(_ request: URLRequest) async throws -> Answer {
    try await withCheckedThrowingContinuation { continuation in
        let task = URLSession.shared.dataTask(with: request) { data, response, error in
            if let error {
                continuation.resume(throwing: error)
            } else {
                continuation.resume(returning: Answer(response, data ?? Data()))
            }
        }
        task.resume()
    }
}

// One line per call; `ok` says whether the answer is the one that the contract promises.
func report(_ call: String, _ expected: Int, _ answer: Answer) throws -> Bool {
    let ok = answer.isAsPromised(expected)
    let line: [String: Any] = [
        "call": call,
        "status": answer.status,
        "ok": ok,
        "text": orNull(answer.text),
        "explanation": orNull(answer.explanation),
        "error_type": NSNull(),
        "client": "URLSession",
        "version": ProcessInfo.processInfo.operatingSystemVersionString,
    ]
    let json = try JSONSerialization.data(withJSONObject: line, options: [.sortedKeys])
    print(String(decoding: json, as: UTF8.self))
    return ok
}

func orNull(_ text: String?) -> Any {
    if let text {
        return text
    }
    return NSNull()
}

@main
struct Client {
    static func main() async throws {
        let token = try setting("AUTHRESET_TOKEN")
        let address: [String: Any] = [
            "email": try setting("AUTHRESET_EMAIL"),
            "entry": try setting("AUTHRESET_ENTRY"),
            "entryType": Int(try setting("AUTHRESET_ENTRY_TYPE")) ?? 0,
        ]
        let results = [
            try await report("empty", 200, ask(token, [:])),
            try await report("address", 200, ask(token, address)),
            try await report("refused_token", 401, ask("o.never-issued", [:])),
            try await report("bad_email", 400, ask(token, ["email": "not-an-address"])),
        ]
        exit(results.allSatisfy { $0 } ? 0 : 1)
    }
}
