"""Work that is spread over processes, of this machine or of many, by Dask distributed.

A function of one argument, and pieces to call it with; the results come in the order of the pieces,
and no more pieces are under way than the workers can do with:

>>> with open_cluster(Choice(dask="tcp://10.0.0.1:8786")) as cluster:
...     for piece, result in cluster.spread(measured, pieces):
...         ...

`Choice(workers=4)` starts four processes here for as long as the block lasts, and `Choice()` calls
the function in this process, so that a command is written once for all three.

The function is found by its name in a module of ours or of what is installed on every worker
(`functools.partial` of one is fine); pieces and results are pickled. It must be pure, since a
piece whose worker is lost is done again by another, and may be done twice. `pieces` may be a
generator, which is asked for a piece when there is room for one, always by the thread that
iterates.
"""

from __future__ import annotations

from marketcam.server.cluster.choice import Choice
from marketcam.server.cluster.errors import ClusterError, PieceError
from marketcam.server.cluster.opening import open_cluster
from marketcam.server.cluster.spreading import Cluster

__all__ = ["Choice", "Cluster", "ClusterError", "PieceError", "open_cluster"]
