# frozen_string_literal: true

# Starts a password reset with the standard net/http, pointed at authreset by the URL alone.

require "json"
require "net/http"
require "uri"

# The answer to one call; `body` is the parsed JSON.
Answer = Struct.new(:status, :body, :error_type) do
  def text = body["responseText"]

  def explanation = body.dig("responseData", "explanation")
end

def ask(token, body)
  url = URI("#{ENV.fetch("AUTHRESET_BASE_URL")}/User/authreset")
  http = Net::HTTP.new(url.host, url.port)
  http.use_ssl = url.scheme == "https"
  http.open_timeout = http.read_timeout = 20

  request = Net::HTTP::Post.new(url)
  request["requestToken"] = token
  request["Content-Type"] = "application/json"
  request.body = body

  read(http.request(request))
end

# net/http raises nothing by itself; `value` turns an answer that is no success into its error.
def read(response)
  body = parse(response.read_body)
  response.value
  Answer.new(response.code.to_i, body, nil)
rescue Net::HTTPExceptions => e
  Answer.new(e.response.code.to_i, body, e.class.name)
end

def parse(raw)
  JSON.parse(raw)
rescue JSON::ParserError
  { "responseText" => raw }
end

# One line per call; `ok` says whether the answer is the one that the contract promises.
def report(call, expected, answer)
  told = expected == 200 ? answer.text == "Success" : answer.text && answer.explanation
  ok = answer.status == expected && told ? true : false
  puts JSON.generate(
    call: call, status: answer.status, ok: ok, text: answer.text,
    explanation: answer.explanation, error_type: answer.error_type,
    client: "net/http", version: "ruby #{RUBY_VERSION}"
  )
  ok
end

token = ENV.fetch("AUTHRESET_TOKEN")
address = {
  email: ENV.fetch("AUTHRESET_EMAIL"),
  entry: ENV.fetch("AUTHRESET_ENTRY"),
  entryType: Integer(ENV.fetch("AUTHRESET_ENTRY_TYPE"))
}

results = [
  report("empty", 200, ask(token, "{}")),
  report("address", 200, ask(token, JSON.generate(address))),
  report("refused_token", 401, ask("o.never-issued", "{}")),
  report("bad_email", 400, ask(token, JSON.generate(email: "not-an-address")))
]
exit(results.all?)
