"""What there is to learn from: data roots, the catalogue, decoded photos, batches."""
