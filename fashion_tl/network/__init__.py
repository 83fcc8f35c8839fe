"""What learns: the backbone, its weights, features, training and inference."""
