-- The client of the load rig: the POST that an OpenAI SDK sends, 13 headers and a chat body of the size given as
-- the first argument after `--`. Prints one line, `rig {json}`, that compare.py reads.

local function body(bytes, stream)
  local front = '{"model":"bench-small","temperature":0.2,"max_tokens":256,'
    .. (stream and '"stream":true,' or "")
    .. '"messages":[{"role":"system","content":"You answer in one short sentence."},{"role":"user","content":"'
  local back = '"}]}'
  -- Prose with a line break about every 75 bytes, written as JSON escapes it.
  local line = "The gateway decides by policy which provider answers and moves on when on\\n"
  local fill = bytes - #front - #back
  local text = line:rep(math.floor(fill / #line))
  return front .. text .. ("x"):rep(fill - #text) .. back
end

function init(args)
  wrk.method = "POST"
  wrk.body = body(tonumber(args[1]), args[2] == "stream")
  -- Added to wrk's own table, which already has the Host.
  for name, value in pairs({
    ["Accept"] = "application/json",
    ["Accept-Encoding"] = "gzip, deflate",
    ["Authorization"] = "Bearer sk-client-000000000000000000000000000000000000",
    ["Content-Type"] = "application/json",
    ["User-Agent"] = "OpenAI/Python 2.8.1",
    ["X-Stainless-Arch"] = "x64",
    ["X-Stainless-Async"] = "false",
    ["X-Stainless-Lang"] = "python",
    ["X-Stainless-OS"] = "Linux",
    ["X-Stainless-Package-Version"] = "2.8.1",
    ["X-Stainless-Runtime"] = "CPython",
    ["X-Stainless-Runtime-Version"] = "3.12.3",
    ["X-Stainless-Retry-Count"] = "0",
  }) do
    wrk.headers[name] = value
  end
  wrk.path = "/v1/chat/completions"
  request_bytes = wrk.format()
end

function request()
  return request_bytes
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'rig {"requests":%d,"bytes":%d,"microseconds":%d,"p50":%d,"p99":%d,"failed":%d}\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
