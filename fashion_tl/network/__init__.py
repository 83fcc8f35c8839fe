"""The network: the backbone, its weights, features, training and inference."""
