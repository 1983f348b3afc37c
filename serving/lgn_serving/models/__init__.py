"""Models and their versions: settings, loading, batching, unloading."""
