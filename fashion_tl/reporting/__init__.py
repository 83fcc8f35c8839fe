"""The results of a run: metrics, charts, photos, the report."""
