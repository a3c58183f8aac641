"""The version, in a module that others can import without importing the whole package."""

__version__ = "0.1.0"
