"""Where raw ticks come from: anything that yields `Tick`s in order."""
