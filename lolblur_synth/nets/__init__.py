"""Networks: EC-Zero-DCE, LEDNet, RIFE, VGG, LPIPS."""
