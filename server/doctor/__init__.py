"""What `marketcam doctor` checks of a machine before a camera runs on it, one function a check."""
