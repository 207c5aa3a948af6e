"""What operators are told: events by webhook, how the camera is, and its figures in a terminal."""
