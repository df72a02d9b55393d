"""Commands in processes of their own: forked from a server on Linux, else started from nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gan_runner import __version__
from gan_runner.figures.processes import start
from gan_runner.terminal import DEBUG

linux = pytest.mark.skipif(sys.platform != "linux", reason="a server is used on Linux alone")


@pytest.mark.parametrize("on_cpu", [True, False])
def test_what_a_command_says_and_how_it_ends(tmp_path: Path, on_cpu: bool) -> None:
    text = tmp_path / "said.txt"
    before = dict(os.environ)
    good = start(["--version"], text, on_cpu=on_cpu)
    good.join()
    assert good.exitcode == 0
    assert text.read_text(encoding="utf-8") == f"gan-run {__version__}\n"
    bad = start(["model=none_such"], text, on_cpu=on_cpu)
    bad.join()
    assert bad.exitcode == 2
    assert "none_such" in text.read_text(encoding="utf-8")
    assert dict(os.environ) == before


def test_the_environment_is_that_of_the_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for debug in ("0", "1"):  # one server for both
        monkeypatch.setenv(DEBUG, debug)
        process = start(["model=none_such"], tmp_path / debug, on_cpu=True)
        process.join()
        said.append((tmp_path / debug).read_text(encoding="utf-8"))
    assert "Traceback" not in said[0]
    assert "Traceback" in said[1]


@pytest.mark.parametrize("on_cpu", [True, False])
def test_a_script_that_starts_commands_at_its_top_level(tmp_path: Path, on_cpu: bool) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from gan_runner.figures.processes import start\n"
        "print('the script')\n"
        f"process = start(['--version'], Path(__file__).with_name('text'), on_cpu={on_cpu})\n"
        "process.join()\n"
        "print(process.exitcode, __name__)\n",
        encoding="utf-8",
    )
    said = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=True
    ).stdout
    assert said == "the script\n0 __main__\n"  # once: it is not imported by the command
    assert (tmp_path / "text").read_text(encoding="utf-8").startswith("gan-run ")


@linux
def test_a_command_that_is_asked_to_end_at_once_ends(tmp_path: Path) -> None:
    words = ["model=vgan", "dataset=ring8", "training.steps=1000000", "metrics=none", "device=cpu"]
    start(["--version"], tmp_path / "version", on_cpu=True).join(60)  # the server is there
    for number in range(5):
        run = f"hydra.run.dir={tmp_path / str(number)}"
        process = start([*words, run], tmp_path / "text", on_cpu=True)
        process.terminate()  # before it has had its first word, as likely as not
        process.join(60)
        assert process.exitcode is not None, "the signal was lost"
        assert process.exitcode != 0


@linux
def test_the_server_outlives_a_signal_to_all(tmp_path: Path) -> None:
    words = ["model=vgan", "dataset=ring8", "training.steps=1000000", "metrics=none", "device=cpu"]
    process = start(
        [*words, "training.checkpoint_every=200", f"hydra.run.dir={tmp_path / 'run'}"],
        tmp_path / "text", on_cpu=True,
    )  # fmt: skip
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    for _ in range(600):
        if last.is_file():
            break
        time.sleep(0.1)
    assert os.getsid(process.pid or 0) == process.pid  # Ctrl-C in the terminal does not reach it
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    server = int(status.partition("PPid:")[2].split()[0])
    assert server != os.getpid()
    os.kill(server, signal.SIGTERM)
    process.terminate()
    process.join(60)
    assert process.exitcode == 128 + signal.SIGTERM  # told by the server
    assert '"interrupted"' in (tmp_path / "run" / "result.json").read_text(encoding="utf-8")
