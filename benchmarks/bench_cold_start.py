"""How long until the first frame of a new process: with kernels to compile, and from the cache?"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FIRST_FRAME = "from marketcam.engine import warm_up; warm_up()"


def first_frame(cache_dir):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache_dir)}
    subprocess.run([sys.executable, "-c", FIRST_FRAME], env=environment, check=True)


@pytest.mark.large
def test_empty_cache(benchmark, tmp_path):
    benchmark.pedantic(first_frame, args=(tmp_path,), rounds=1)


@pytest.mark.large
def test_full_cache(benchmark, tmp_path):
    first_frame(tmp_path)
    benchmark.pedantic(first_frame, args=(tmp_path,), rounds=5)
