"""A small simulator of the kind the camera is plugged into; it knows nothing of the camera."""
