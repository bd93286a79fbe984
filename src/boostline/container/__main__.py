"""``python -m boostline.container``."""

import sys

from boostline.container.main import main

sys.exit(main())
