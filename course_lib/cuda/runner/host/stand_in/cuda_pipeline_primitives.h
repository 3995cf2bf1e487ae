// CUDA's header of this name, for the host: part of cuda_pipeline.h.
#pragma once
#include "cuda_pipeline.h"
