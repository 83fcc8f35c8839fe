"""What is said of a run: figures of merit, charts, pictures, the report."""
