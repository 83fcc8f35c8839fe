"""Transfer learning on the Fashion Product Images data: three approaches from an ImageNet
ResNet-50.
"""

import os

__version__ = "0.1.0"

# torch's threads spin while they wait for one another, and beside another busy program they keep
# the processors from whoever has work to do. The OpenMP library reads this when it is loaded, so it
# comes before the first `import torch`.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(os.environ):
    os.environ["GOMP_SPINCOUNT"] = "10000"
