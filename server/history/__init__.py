"""What was recorded, as it is sent: the seam of history and live, and replay."""
