"""What is on the wire, and how a reader follows it: pure modules, no I/O, no clock."""
