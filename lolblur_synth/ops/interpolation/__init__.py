"""Frame interpolation: optical flow with occlusion, splatting, warping and PatchMatch; RIFE."""
