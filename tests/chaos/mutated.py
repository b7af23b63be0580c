"""`python -m tests.chaos.mutated NAME api …`: `chat api …` with one mutation in it, and with `none` without any."""

from __future__ import annotations

import sys

from app.cli import main
from tests.chaos.mutations import MUTATIONS

NONE = "none"


if __name__ == "__main__":
    if sys.argv[1] != NONE:
        MUTATIONS[sys.argv[1]].defect()
    sys.exit(main(sys.argv[2:]))
