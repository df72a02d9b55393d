"""`python -m gan_runner.figures`."""

import sys

from gan_runner.figures.command import main

if __name__ == "__main__":
    sys.exit(main())
