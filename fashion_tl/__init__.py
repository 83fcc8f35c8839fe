"""Transfer learning from an ImageNet ResNet to the Fashion Product Images data."""

import os

__version__ = "0.1.0"

# torch's threads spin while they wait for each other. If another program is busy, they take
# processor time from the threads that have work to do. The OpenMP library reads this setting when
# it is loaded, so it must be set before the first `import torch`.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(os.environ):
    os.environ["GOMP_SPINCOUNT"] = "10000"
