"""What makes the numbers on record: trainings, trials, checks, tables and charts. Run it as
``python -m study``.
"""

import fashion_tl  # noqa: F401  (before torch is loaded, from wherever: it sets how torch's threads wait)
