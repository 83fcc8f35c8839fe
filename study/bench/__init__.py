"""How fast it is, beside what: ``python -m study bench``."""
