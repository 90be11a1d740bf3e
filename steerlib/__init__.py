"""Why did the network steer there? The functions behind the notebooks; one module each."""

from steerlib.quiet import quiet_tensorflow

quiet_tensorflow()
