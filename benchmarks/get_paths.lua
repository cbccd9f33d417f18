-- wrk script: GET paths, one a line of a file, in order and round again, as whom the first line says.
--
-- wrk ... -s get_paths.lua URL -- PATHS
--
-- The first line is the value of the Authorization header; a file keeps it out of the list of processes.

local requests, sent = {}, 0

function init(args)
    local authorization
    for line in io.lines(args[1]) do
        if authorization then
            requests[#requests + 1] = wrk.format("GET", line)
        else
            authorization = line
            wrk.headers["Authorization"] = authorization
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
