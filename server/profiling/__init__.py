"""What a camera costs and what it keeps, measured over a grid of settings.

::

    axes, points     the grid: text to points, checked by the settings' own rules
    ticks, film      the timed run of one point
    substance        what an edge cap keeps of all edges
    measure          one point to its figures, a pure function
    child            the same in a process of its own
    journal, session points one after the other, kept on disk
    columns, tables, terminal, report (series, plots, svg)   for people and programs to read

Another scheduler needs `points.grid`, `measure.measure` and `journal.Journal`, and nothing else.
"""
