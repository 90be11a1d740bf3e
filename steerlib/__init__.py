"""Why did the network steer there? The functions behind the notebooks; one module each."""
