"""Stops a run at the end of a step when the process is asked to end."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

log = logging.getLogger(__name__)
CAUGHT = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Within, Ctrl-C and SIGTERM are remembered in `signum`; a second one acts at once."""

    def __init__(self) -> None:
        self.signum: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        # Only the main thread may set handlers; elsewhere (a notebook's worker) they stay as is.
        if threading.current_thread() is threading.main_thread():
            self._before = {signum: signal.signal(signum, self._remember) for signum in CAUGHT}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is not None:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            raise KeyboardInterrupt
        self.signum = signum
        log.warning("Stopping after this step; once more to stop at once")
