"""What researchers ask of a graph: its standard measures, frame by frame, and its communities.

A frame is measured by itself (`measured`), so that frames can be spread over processes; what one
frame's communities have to do with the last one's is found afterwards, in order (`following`).
docs/measures.md has each measure's formula and source.
"""
