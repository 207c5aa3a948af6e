"""Ways out of the store, in every encoding of a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.attacks.crowd import ROUNDS, exchange, seeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attacks.target import Target

PREFIXES = (
    b"/", b"/segment/frames/", b"/segment/metrics/frames/", b"/segment/frames/frames/",
    b"/segment/", b"/viewer/", b"/manifest/", b"/range/", b"/metrics/", b"/runs/",
)  # fmt: skip
UPWARD = (
    b"..", b"%2e%2e", b"%2E.", b".%2e", b"%252e%252e", b"%%32%65%%32%65", b"%c0%ae%c0%ae",
    b"%e0%80%ae%e0%80%ae", b"%uff0e%uff0e", b"%ef%bc%8e%ef%bc%8e", b"..%00", b"...", b"....//",
    b"..;", b". .", b"..%20", b"%2e%2e%0a",
)  # fmt: skip
SLASHES = (
    b"/", b"%2f", b"%2F", b"\\", b"%5c", b"%252f", b"%255c", b"%c0%af", b"%e0%80%af", b"%uff0f",
    b"%ef%bc%8f", b"//", b"/./", b"%00/", b";/",
)  # fmt: skip
GOALS = (
    b"secret.txt", b"etc/passwd", b"runs.json", b"manifest.json", b"store/secret.txt",
    b"proc/self/environ", b"frames/secret.txt", b"secret.txt%00.jsonl.zst", b"secret.txt/",
    b"secret.txt?x=/segment_20260101_000000_0.jsonl.zst", b"secret.txt#", b"secret.txt%3f",
)  # fmt: skip
OF_OTHERS = (b"root:x:0:0", b"IG_CAM_STORE_DIR", b"[core]", b"def ", b"import ")


def ways_out(target: Target) -> Iterator[bytes]:
    """Combine all of it, some whole paths besides."""
    for prefix in PREFIXES[:3]:
        for up in UPWARD:
            for slash in SLASHES:
                yield prefix + (up + slash) * 3 + GOALS[0]
    dice = seeded("paths")
    for _ in range(1000 * ROUNDS):
        steps = (dice.choice(UPWARD) + dice.choice(SLASHES) for _ in range(dice.randrange(9)))
        yield dice.choice(PREFIXES) + b"".join(steps) + dice.choice(GOALS)
    store = str(target.server.store).encode()
    for prefix in PREFIXES:
        for whole in (store + b"/secret.txt", b"file://" + store + b"/secret.txt", b"/etc/passwd"):
            yield prefix + whole
            yield prefix + whole.replace(b"/", b"%2f")


def test_no_path_leads_out_of_the_segments(target: Target) -> None:
    """Those that are in no request's form are refused as such; none is served."""
    paths = list(ways_out(target))
    with target.under_attack():
        answers = exchange(target, [_asking(path) for path in paths], None)
    for path, answer in zip(paths, answers, strict=True):
        status, _, rest = answer.partition(b"\r\n")
        assert status.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 ")), (path, status)
        assert target.secret not in rest
        assert not any(text in rest for text in OF_OTHERS)


def _asking(path: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
