"""V-BM4D: video denoising by grouping of motion-compensated volumes (Maggioni et al., IEEE TIP 2012)."""
