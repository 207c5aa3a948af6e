"""Origins: how a list of them is read, and which pages it lets in."""

from __future__ import annotations

import pytest

from marketcam.server.security.origins import Origins


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("*", None),
        ("https://example.org, *", None),
        ("HTTPS://Example.ORG/", ("https://example.org",)),
        ("https://example.org:443,http://example.org:80", ("https://example.org", "http://example.org")),
        ("https://example.org:0443", ("https://example.org",)),
        ("http://example.org:443", ("http://example.org:443",)),
        ("http://[::1]:5173", ("http://[::1]:5173",)),
        ("https://münchen.example", ("https://xn--mnchen-3ya.example",)),
        ("a://b,,a://b ,", ("a://b",)),
    ],
)  # fmt: skip
def test_a_list_is_read_as_browsers_write(text: str, listed: tuple[str, ...] | None) -> None:
    assert Origins.of(text).listed == listed


@pytest.mark.parametrize(
    "text",
    ["example.org", "null", "https://", "https://a/b", "https://a:65536", "https://a:b", "a://u@h",
     "https://a b", "https://*.example.org/x", "https://ä..b"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an origin|idna|label"):
        Origins.of(text)


def test_only_those_listed_may() -> None:
    origins = Origins.of("https://example.org, http://[::1]:5173")
    assert origins.allow("https://example.org")
    assert origins.allow("https://EXAMPLE.org")
    assert origins.allow("http://[::1]:5173")
    for other in ("null", "", "*", "https://example.org:444", "https://example.org.evil.example",
                  "http://example.org", "https://example.org, https://evil.example"):  # fmt: skip
        assert not origins.allow(other)
    assert Origins.of("*").allow("null")
