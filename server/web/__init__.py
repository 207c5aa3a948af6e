"""HTTP: the answers, how they are refused, and the figures for Prometheus."""
