-- wrk script: send the requests of a file, in order and round again.
--
-- wrk ... -s send_requests.lua ADDRESS -- REQUESTS THREADS [TOKENS]
--
-- A line of REQUESTS is method, path, body and headers, between tabs. Each of the THREADS sends every THREADS-th, so no
-- two send the same one in a round. With TOKENS, a file name prefix, every access_token that is answered is appended to
-- TOKENS.<thread>.

local started, threads_set_up = 0, {}
local requests, sent = {}, 0

function setup(thread)
    thread:set("number", started)
    started = started + 1
    threads_set_up[started] = thread
end

local function parsed(line)
    local fields = {}
    for field in (line .. "\t"):gmatch("([^\t]*)\t") do
        fields[#fields + 1] = field
    end
    local headers = { Host = wrk.headers["Host"] }
    for index = 4, #fields do
        local name, value = fields[index]:match("^([^:]+): (.*)$")
        headers[name] = value
    end
    return wrk.format(fields[1], fields[2], headers, fields[3] ~= "" and fields[3] or nil)
end

function init(args)
    local threads, line_number = tonumber(args[2]), 0
    for line in io.lines(args[1]) do
        if line_number % threads == number then
            requests[#requests + 1] = parsed(line)
        end
        line_number = line_number + 1
    end
    ready = os.clock()
    if args[3] then
        local tokens = assert(io.open(args[3] .. "." .. number, "w"))
        tokens:setvbuf("line")
        function response(status, _, body)
            local token = status == 200 and body:match('"access_token":%s*"([^"]+)"')
            if token then
                tokens:write(token, "\n")
            end
        end
    end
end

function request()
    sent = sent % #requests + 1
    return requests[sent]
end

-- The processor time of making the requests, before the first is sent, is not of the load.
function done(summary, latency, _)
    local errors, began = summary.errors, 0
    for _, thread in ipairs(threads_set_up) do
        began = math.max(began, thread:get("ready"))
    end
    io.write(string.format(
        '\nRESULT {"requests": %d, "seconds": %.6f, "cpu_seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, '
            .. '"refused": %d, "broken": %d}\n',
        summary.requests, summary.duration / 1e6, os.clock() - began,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
