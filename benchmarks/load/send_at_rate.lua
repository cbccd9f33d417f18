-- wrk script, the open loop: send each request when it is due, whether or not earlier requests have responses.
--
-- wrk -t N -c N ... -s send_at_rate.lua ADDRESS -- REQUESTS N RATE SENT
--
-- Request n is due n / RATE seconds after the schedule starts. Each of the N threads has one connection: thread k sends
-- the requests k, k + N, k + 2N and so on. REQUESTS.<k> contains them in that order, each encoded request after a line
-- with its length. A thread ends when all its requests have been sent and answered.
--
-- wrk calls request() when a connection is free, that is when it has received the previous response. The script records
-- that time there instead of in response(), for which wrk would copy every response into Lua, and sleeps until the next
-- request is due, accurate to about 50 µs. wrk's own delay() has a resolution of milliseconds.
--
-- SENT gets a line for each answered request: its number, and the seconds from the start at which its connection was
-- free, at which it was sent and at which it was answered.

local ffi = require("ffi")

ffi.cdef([[
struct timespec { long tv_sec; long tv_nsec; };
int clock_gettime(int clock, struct timespec *time);
int clock_nanosleep(int clock, int flags, const struct timespec *time, struct timespec *left);
]])

local CLOCK_MONOTONIC, TIMER_ABSTIME = 1, 1
local LEAD_SECONDS = 1 -- time for all threads to start and connect

local time = ffi.new("struct timespec")
local threads = {}
local requests, turn = {}, 0
local first, step, inspected

local function now()
    ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
    return tonumber(time.tv_sec) + tonumber(time.tv_nsec) / 1e9
end

local function sleep_until(moment)
    time.tv_sec = math.floor(moment)
    time.tv_nsec = (moment - math.floor(moment)) * 1e9
    ffi.C.clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, time, nil)
end

function setup(thread)
    begin = begin or now() + LEAD_SECONDS
    thread:set("begin", begin)
    thread:set("number", #threads)
    threads[#threads + 1] = thread
end

function init(args)
    local of, rate = tonumber(args[2]), tonumber(args[3])
    first, step = begin + number / rate, of / rate
    free, sent, answered, sent_to = {}, {}, {}, args[4]
    local file = assert(io.open(args[1] .. "." .. number, "rb"))
    for length in file:lines() do
        requests[#requests + 1] = file:read(tonumber(length))
        free[#requests], sent[#requests], answered[#requests] = 0, 0, 0
    end
    file:close()
    inspected = number ~= 0 -- wrk inspects a request of the first thread before it sends any
    ready = os.clock()
end

function request()
    if not inspected then
        inspected = true
        return requests[1]
    end
    local moment = now()
    if turn > 0 then
        answered[turn] = moment
    end
    turn = turn + 1
    if turn > #requests then
        wrk.thread:stop()
        return "" -- sends nothing
    end
    local due = first + (turn - 1) * step
    if moment < due then
        sleep_until(due)
    end
    free[turn], sent[turn] = moment, now()
    return requests[turn]
end

function done(summary, _, _)
    local used, errors = os.clock() - threads[#threads]:get("ready"), summary.errors
    local file = assert(io.open(threads[1]:get("sent_to"), "w"))
    for number, thread in ipairs(threads) do
        local free, sent = thread:get("free"), thread:get("sent")
        for turn, moment in ipairs(thread:get("answered")) do
            if moment > 0 then
                file:write(string.format(
                    "%d %.6f %.6f %.6f\n",
                    number - 1 + (turn - 1) * #threads, free[turn] - begin, sent[turn] - begin, moment - begin))
            end
        end
    end
    file:close()
    io.write(string.format(
        '\nRESULT {"requests": %d, "cpu_seconds": %.6f, "refused": %d, "broken": %d}\n',
        summary.requests, used, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
