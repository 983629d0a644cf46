"""Engine room: SIMD vectors, just-in-time compiling and its cache, GEMM, Winograd, FAC, PReLU; no pipeline."""
