"""Servers that send the same events, each in its own way, as processes of their own: `python -m rig.rivals.NAME`.

Each serves `/flat` (as fast as it can, COUNT events), `/paced` (RATE events a second for ever), `/shared` (one paced
stream to all who ask) and `/idle` (a first event, then nothing), and prints its port.
"""
