// Marks functions that host and device compute alike; means nothing to a host compiler.
#pragma once

#ifdef __CUDACC__
#define HOST_DEVICE __host__ __device__
#else
#define HOST_DEVICE
#endif
