"""Image quality metrics: PSNR, SSIM, and tables of scores."""
