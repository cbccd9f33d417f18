-- wrk script: POST form bodies, one a line of a file, in order and round again.
--
-- wrk ... -s post_forms.lua URL -- BODIES THREADS [TOKENS]
--
-- Each of the THREADS sends every THREADS-th body, so no two send the same one in a round. With TOKENS, a file name
-- prefix, every access_token that is answered is appended to TOKENS.<thread>.

local started = 0
local requests, sent = {}, 0

function setup(thread)
    thread:set("number", started)
    started = started + 1
end

function init(args)
    local threads, line_number = tonumber(args[2]), 0
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
    for body in io.lines(args[1]) do
        if line_number % threads == number then
            requests[#requests + 1] = wrk.format("POST", wrk.path, wrk.headers, body)
        end
        line_number = line_number + 1
    end
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

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format(
        '\nRESULT {"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "refused": %d, "broken": %d}\n',
        summary.requests, summary.duration / 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
