"""A cluster as chosen, for as long as a block lasts."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from marketcam.engine.crew import processors
from marketcam.server.cluster.errors import ClusterError, NoWorkerError
from marketcam.server.cluster.local_workers import LocalWorkers
from marketcam.server.cluster.spreading import Here
from marketcam.server.cluster.versions import differences, versions
from marketcam.server.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributed import Client

    from marketcam.server.cluster.choice import Choice
    from marketcam.server.cluster.spreading import Cluster

__all__ = ["ALLOWED_FAILURES", "PATIENCE_SECONDS", "open_cluster"]

PATIENCE_SECONDS: Final = 10.0
"""How long a scheduler may take to answer, and may be without any worker."""

_LOCAL_PATIENCE_SECONDS: Final = 60.0
"""At least so long for local workers, since we start them: a busy machine takes its time."""

ALLOWED_FAILURES: Final = 5
"""Local workers that may die while they have a piece, in hand or next; with one more it is given
up. Dask does not tell which of the two it was, so that fewer would blame the innocent."""

_FOR_ALL: Final = {
    # Ticks travel with their piece, on purpose.
    "distributed.admin.large-graph-warning-threshold": "1 TiB",
}
_FOR_LOCAL: Final = {"distributed.scheduler.allowed-failures": ALLOWED_FAILURES}


@contextmanager
def open_cluster(choice: Choice, patience: float = PATIENCE_SECONDS) -> Iterator[Cluster]:
    """Yield the cluster that was chosen; workers started for it end with the block.

    Args:
        choice: where work is done.
        patience: how long a scheduler may take to answer, and may be without any worker, in
            seconds.

    Raises:
        ConfigurationError: Dask is asked for, and not installed.
        ClusterError: there is no scheduler, or it has no worker, or one of another version than
            this process; or the local processes cannot be started.

    Cost: a second or two for local workers, mostly for what they import.
    """
    if choice.is_here:
        yield Here()
        return
    if find_spec("distributed") is None:
        raise ConfigurationError(
            "--dask and --workers need Dask, which is not here: pip install 'marketcam[cluster]'"
        )
    if choice.workers is not None:
        patience = max(patience, _LOCAL_PATIENCE_SECONDS)
    import dask  # noqa: PLC0415 - of the extra `cluster`, and slow

    from marketcam.server.cluster.dask_cluster import DaskCluster  # noqa: PLC0415 - as above

    with ExitStack() as stack:
        stack.enter_context(dask.config.set(_FOR_ALL))
        stack.enter_context(_silent_dask())
        client, address = _opened(choice, patience, stack)
        _wait_for_workers(client, address, choice.workers or 1, patience)
        threads = 1 if choice.workers is None else max(1, processors() // choice.workers)
        cluster = DaskCluster(client, address, threads, patience)
        _check_versions(cluster)
        yield cluster


@contextmanager
def _silent_dask() -> Iterator[None]:
    """Keep Dask's log from the terminal: what it says is mended, or comes to us as an error."""
    from distributed.utils import silence_logging_cmgr  # noqa: PLC0415 - as in `open_cluster`

    logger = logging.getLogger("distributed")
    before, logger.propagate = logger.propagate, False
    try:
        with silence_logging_cmgr(logging.CRITICAL):
            yield
    finally:
        logger.propagate = before


def _opened(choice: Choice, patience: float, stack: ExitStack) -> tuple[Client, str]:
    from distributed import Client  # noqa: PLC0415 - as in `open_cluster`

    try:
        address = choice.dask or stack.enter_context(_local_scheduler())
        client = Client(address, timeout=patience, set_as_default=False)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        what = "the local scheduler" if choice.dask is None else f"a Dask scheduler at {address}"
        raise ClusterError(f"cannot reach {what}: {error}") from error
    stack.enter_context(client)
    if choice.workers is not None:
        workers = stack.enter_context(LocalWorkers(address, choice.workers))
        stack.enter_context(_quoted(workers))
    return client, address


@contextmanager
def _quoted(workers: LocalWorkers) -> Iterator[None]:
    """Where there are no workers, say what the last of them said."""
    try:
        yield
    except NoWorkerError as error:
        if not workers.last_words:
            raise
        raise NoWorkerError(f"{error}; the last one said: {workers.last_words}") from error


@contextmanager
def _local_scheduler() -> Iterator[str]:
    import dask  # noqa: PLC0415 - as in `open_cluster`
    from distributed import LocalCluster  # noqa: PLC0415 - as in `open_cluster`

    with (
        dask.config.set(_FOR_LOCAL),
        LocalCluster(
            n_workers=0,
            host="127.0.0.1",
            protocol="tcp://",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield str(cluster.scheduler_address)


def _wait_for_workers(client: Client, address: str, count: int, patience: float) -> None:
    try:
        client.wait_for_workers(count, timeout=patience)
    except TimeoutError as error:
        what = "no worker" if count == 1 else f"not {count} workers"
        raise NoWorkerError(f"{address} has had {what} for {patience:g} s") from error


def _check_versions(cluster: Cluster) -> None:
    """Refuse workers that would compute something else, before there is any work."""
    for worker, theirs in cluster.everywhere(versions).items():
        if unlike := differences(versions(), theirs):
            raise ClusterError(f"worker {worker} is not like this process: {unlike}")
