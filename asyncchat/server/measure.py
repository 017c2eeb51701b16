"""How much the process uses."""

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import resource


def memory_used() -> int | None:
    """Bytes of memory that the process holds now, or where that cannot be told, has held at most; None on Windows."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        pass
    if sys.platform == "win32":
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
