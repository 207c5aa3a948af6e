"""Who is let in, and what one peer may cost: tokens, origins, limits."""
