"""`python -m homogaudit` is the `homogaudit` command."""

from homogaudit.cli import main

if __name__ == "__main__":
    main()
