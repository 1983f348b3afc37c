"""Videos on disk, as the arrays that the model is fed."""
