"""The data: data roots, the catalogue, decoded photos, batches."""
