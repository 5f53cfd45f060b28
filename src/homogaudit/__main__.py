"""`python -m homogaudit` is the `homogaudit` command.

The interpreter has put the working folder before all other places by then: files there are data, never code of ours.
"""

import os
import sys

if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
    del sys.path[0]

from homogaudit.cli import main

if __name__ == "__main__":
    main()
