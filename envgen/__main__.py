"""`python -m envgen` is the `envgen` command."""

from envgen.cli.main import main

if __name__ == "__main__":
    main()
