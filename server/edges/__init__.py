"""The camera's messages over NATS, and servers that pass them on: more viewers than one has."""
