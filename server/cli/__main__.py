"""`python -m marketcam.server.cli` is `marketcam`."""

import sys

from marketcam.server.cli import main

sys.exit(main())
