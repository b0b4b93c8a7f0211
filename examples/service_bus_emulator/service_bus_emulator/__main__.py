"""Lets `python -m service_bus_emulator` run the command."""

import sys

from service_bus_emulator.cli import main

if __name__ == "__main__":
    sys.exit(main())
