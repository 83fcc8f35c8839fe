"""What draws the built-in sample: a canvas, the article types, and a function for each of their shapes."""
