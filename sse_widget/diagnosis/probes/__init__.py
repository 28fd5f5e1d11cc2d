"""Shells that go and look: sockets, HTTP, WebSocket. They return observations and judge nothing."""
