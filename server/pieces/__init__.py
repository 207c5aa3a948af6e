"""Long work in pieces: a recording filmed in overlapping windows, many seeds, frames to measure.

What the pieces of a recording give, gathered in their order, is what one camera makes of the whole,
to the byte: a frame is a function of its W ticks and the mid carried into them, so that a camera
which is shown the W − 1 ticks before a piece, and told the mid before those, goes on as if it had
seen everything. `cutting` cuts, `filming` is what a worker does, `gathering` puts it together.
`seeds` films whole runs, and `measuring` measures frames, which need no others.
"""
