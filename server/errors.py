"""What can go wrong with the server itself, below the project's root error."""

from marketcam.engine.errors import MarketCameraError

__all__ = ["ConfigurationError", "ServerError"]


class ServerError(MarketCameraError):
    """The server cannot start, or its run has failed; the message is one line."""


class ConfigurationError(ServerError):
    """What is configured cannot be used, such as a certificate that is not there."""
