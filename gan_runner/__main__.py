"""`python -m gan_runner` is `gan-run`."""

from __future__ import annotations

import sys

from gan_runner.cli import main

sys.exit(main())
