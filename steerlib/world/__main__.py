"""``python -m steerlib.world FOLDER`` renders the sample drive."""

from steerlib.world.sample_drive import main

main()
