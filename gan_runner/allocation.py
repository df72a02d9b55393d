"""Memory that tensors have freed is kept for the next ones, where the C library is glibc.

A step frees what it has allocated. By default glibc gives the larger pieces back to the system,
which hands them out again page by page, each cleared first: for maps of a few megabytes that can
take longer than the layer. On a GPU torch's own allocator keeps memory in the same way.
"""

from __future__ import annotations

import ctypes
import os

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # numbers of glibc's mallopt(3)
LARGEST = 32 * 1024**2  # bytes; glibc takes no more; what is larger goes back at once
KEPT = 1024**3  # bytes free at the end of the heap before any go back
ENVIRONMENT = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Tell the C library; a user's own settings in the environment stay.

    Returns:
        Whether it is so now.
    """
    if any(name in os.environ for name in ENVIRONMENT):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # not glibc: macOS, Windows, musl
        return False
    return bool(set_option(MMAP_THRESHOLD, LARGEST) and set_option(TRIM_THRESHOLD, KEPT))
