"""Names that both ends use."""

EVALUATION = "evaluation"
SWEEP = "gammas"
WEIGHTS = "weights.npz"
SCORED = "scored.tar.xz"
