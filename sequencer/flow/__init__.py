"""Flow: real order flow from a recorded feed, through the public interface, measured."""


def main(arguments: list[str]) -> int:
    """`novation flow`; ends by `SystemExit` with its exit code."""
    from sequencer.flow.command import run  # noqa: PLC0415  (half a second of imports)

    return run(arguments)
