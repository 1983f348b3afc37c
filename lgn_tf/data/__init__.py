"""From files on disk to the arrays that the model is fed."""
