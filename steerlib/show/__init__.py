"""How maps are shown: over a frame (`overlay`), as a film (`film`, `closed_loop`), and with sliders (`explorers`)."""
