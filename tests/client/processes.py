"""Processes that tests start."""

import asyncio
import threading


async def reaped() -> None:
    """Wait until asyncio has noticed the end of all processes that have ended: it has a thread for each until then."""
    for thread in threading.enumerate():
        if thread.name.startswith("asyncio-waitpid"):
            await asyncio.to_thread(thread.join)
