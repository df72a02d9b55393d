"""Freed memory is kept: what the C library is told, and that pages are not asked for again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gan_runner import allocation

PAGES = """
import resource, sys
from gan_runner.allocation import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit(3)
blocks = [bytes(8 * 1024**2) for _ in range(2)]
blocks.clear()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):  # a heap that grows and shrinks, as in a step
    blocks = [b"x" * (8 * 1024**2) for _ in range(6)]
    blocks.clear()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int | None:
    """Pages that a process asked the system for; None: its C library cannot be told."""
    command = [sys.executable, "-c", PAGES, how]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return None if done.returncode == 3 else int(done.stdout)


def test_pages_are_used_again() -> None:
    kept, plain = faults("kept"), faults("plain")
    if kept is None:
        pytest.skip("this C library has no mallopt")
    assert plain is not None
    assert kept < plain / 4


@pytest.mark.parametrize("name", allocation.ENVIRONMENT)
def test_own_settings_stay(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "65536")
    assert not allocation.keep_freed_memory()


def test_another_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in allocation.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(allocation.ctypes, "CDLL", lambda name: object())
    assert not allocation.keep_freed_memory()
