"""Training clips in a seeded order, by tf.data or as arrays."""
