"""Load generation: requests, wrk in a closed and in an open loop, latencies."""
