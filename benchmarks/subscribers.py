"""Open event streams and read them until terminated. The Authorization header is read from standard input."""

import asyncio
import sys

import aiohttp


async def main(url: str, count: int, authorization: str) -> None:
    """Print `subscribed` when the server has accepted all streams."""
    headers = {"Authorization": authorization, "Accept": "text/event-stream"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None), headers=headers
    ) as session:
        streams = await asyncio.gather(*(session.get(url) for _ in range(count)))
        for stream in streams:
            stream.raise_for_status()
        print("subscribed", flush=True)
        await asyncio.gather(*(_drain(stream) for stream in streams))


async def _drain(stream: aiohttp.ClientResponse) -> None:
    async for _ in stream.content.iter_any():
        pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.stdin.readline().strip()))
