"""Thin shells between HTTP and the runs: they read requests, call, and write."""
