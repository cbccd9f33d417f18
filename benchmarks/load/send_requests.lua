-- wrk script, the closed loop: send the requests of a file repeatedly, in order.
--
-- wrk ... -s send_requests.lua ADDRESS -- REQUESTS THREADS [TOKENS]
--
-- REQUESTS contains each encoded request after a line with its length. Each of the THREADS sends every THREADS-th
-- request, so that no two threads send the same one in a round. With the file name prefix TOKENS, every access_token of
-- a response is appended to TOKENS.<thread>.

local threads = {}
local requests, sent = {}, 0

function setup(thread)
    thread:set("number", #threads)
    threads[#threads + 1] = thread
end

function init(args)
    local of, index = tonumber(args[2]), 0
    local file = assert(io.open(args[1], "rb"))
    for length in file:lines() do
        local request = file:read(tonumber(length))
        if index % of == number then
            requests[#requests + 1] = request
        end
        index = index + 1
    end
    file:close()
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

-- The CPU time of reading the requests is not counted.
function done(summary, latency, _)
    local used, errors = os.clock() - threads[#threads]:get("ready"), summary.errors
    io.write(string.format(
        '\nRESULT {"requests": %d, "seconds": %.6f, "cpu_seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, '
            .. '"refused": %d, "broken": %d}\n',
        summary.requests, summary.duration / 1e6, used,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
