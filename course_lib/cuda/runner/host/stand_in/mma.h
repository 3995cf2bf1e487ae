#pragma once
#error "nvcuda::wmma does not say which lane holds what, so the host cannot stand in for it: use mma.cuh and ldmatrix.cuh"
