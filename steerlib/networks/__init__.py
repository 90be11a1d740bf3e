"""A network: what it wants to see, its answer in degrees, its layers; PilotNet, training, loading and saving."""
