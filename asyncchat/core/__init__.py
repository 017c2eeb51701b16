"""The rules of the chat. No I/O, no clock, no randomness: they are passed in."""
