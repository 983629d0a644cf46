"""One thread per operator in tests: waiting for each other costs more than such small pictures take."""

import cv2
import torch
from hypothesis import settings

settings.register_profile("same every time", derandomize=True, deadline=None)
settings.load_profile("same every time")
torch.set_num_threads(1)
cv2.setNumThreads(1)
