"""The server of sse-widget: runs that outlive connections, read as server-sent events."""

__version__ = "0.1.0"
