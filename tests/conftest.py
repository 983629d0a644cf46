"""One thread per operator in tests: waiting for each other costs more than such small pictures take."""

import cv2
import torch

torch.set_num_threads(1)
cv2.setNumThreads(1)
