"""The live stream: messages from the engine's threads to every viewer's socket."""
