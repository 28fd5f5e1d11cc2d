"""Where the events of a stream are kept: one contract, several stores."""
