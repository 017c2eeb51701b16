"""What belongs to one event loop, and is used from there alone."""

import asyncio


def require(loop: asyncio.AbstractEventLoop, what: str) -> None:
    """Raise RuntimeError unless the loop of *what* runs here: from another one its futures would never wake anybody."""
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if running is not loop:
        raise RuntimeError(
            f"{what} belongs to another event loop: call it there, from a thread with asyncio.run_coroutine_threadsafe"
        )
