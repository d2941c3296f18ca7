"""`python -m sequencer`: the same as `novation`."""

from sequencer.cli import main

if __name__ == "__main__":
    main()
