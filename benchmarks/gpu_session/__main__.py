"""python3 -m benchmarks.gpu_session"""

import sys

from benchmarks.gpu_session.command import main

sys.exit(main())
