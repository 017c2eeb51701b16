"""A durable chat server on asyncio streams, and its async client."""

__version__ = "0.1.0"

__all__ = ["__version__"]
