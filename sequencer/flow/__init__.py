"""Flow: real order flow from a recorded feed, through the public interface, measured."""
