// CUDA's header of this name: what kernels need of it is declared before their first line (../cuda_host.hpp).
#pragma once
