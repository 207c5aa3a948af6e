"""Raw ticks from a simulator that runs elsewhere: `/ws/ingest`."""
