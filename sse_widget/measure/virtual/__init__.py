"""A whole run on a virtual clock: tokens with times in, the times at which a reader saw each delta out.

Pure: nothing waits, randomness and the grapheme segmenter are arguments. One module a stage, and the parts that
decide are the ones that stream: `serving` (pacing.chunker), `log` (protocol.sse), `network`, `reading` (protocol's
faults, sse and session), `page` (pacing.typewriter). `run` puts them together. Times are seconds from the moment at
which the server began the run.
"""
