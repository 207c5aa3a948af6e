"""`python -m marketcam.server.cli` is `marketcam`."""

import sys

from marketcam.server.cli import main

if __name__ == "__main__":  # processes that are started for a cluster import it too
    sys.exit(main())
