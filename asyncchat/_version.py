"""The version, in a module that imports nothing: the package's own imports need it."""

__version__ = "0.1.0"
