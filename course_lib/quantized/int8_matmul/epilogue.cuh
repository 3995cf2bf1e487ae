// What happens to a finished sum: the same in every version, so that all give the same bits.
//
//     products[m,n] = sum over k of a[m,k] * w[n,k]                         one mma or dp4a at a time
//     S[m,n]        = sum over k of (a[m,k] - za[m]) * (w[n,k] - zw[n])     what is wanted
//                   = products[m,n]
//                     - za[m] * sum over k of w[n,k]
//                     - zw[n] * (sum over k of a[m,k]  -  K * za[m])        (Jacob et al. 2018, equation 7)
//
// The last form lets the inner loop multiply the stored bytes as they are: a - za needs 9 bits and would not fit into
// the instructions. The two sums of one matrix each cost N*K and M*K additions, not M*N*K.
//
// The floating-point steps use intrinsics that round once each: written with * and +, the compiler would be free to fuse
// them into one rounding on the GPU and not on the CPU, and a result near a half could round to another integer.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

template <typename T, typename U> constexpr bool same = false;
template <typename T> constexpr bool same<T, T> = true;

// Steps are 0 for one number that all rows share and 1 for one number each; absent vectors are null.
struct Scaling {
    const float* a_scale;
    int a_scale_step;
    const float* w_scale;
    int w_scale_step;
    const signed char* a_zero;
    int a_zero_step;
    const signed char* w_zero;
    int w_zero_step;
    const int* bias_int;
    const float* bias_float;
    const float* out_scale;
    const signed char* out_zero;
};

struct Row {  // of a, and of the output
    float scale;
    int zero_point;
};

struct Column {  // of the output: a row of w
    float scale;
    int zero_point;
    int bias_int;
    float bias_float;
};

struct Requantizer {  // int8 outputs alone
    float rate;       // 1 / out_scale
    int zero_point;
};

template <typename Out, bool A_ZERO>
__device__ __forceinline__ Row read_row(const Scaling& scaling, int row) {
    return {same<Out, int> ? 1.0f : scaling.a_scale[row * scaling.a_scale_step],
            A_ZERO ? scaling.a_zero[row * scaling.a_zero_step] : 0};
}

template <typename Out, bool W_ZERO>
__device__ __forceinline__ Column read_column(const Scaling& scaling, int column) {
    return {same<Out, int> ? 1.0f : scaling.w_scale[column * scaling.w_scale_step],
            W_ZERO ? scaling.w_zero[column * scaling.w_zero_step] : 0,
            scaling.bias_int ? scaling.bias_int[column] : 0,
            scaling.bias_float ? scaling.bias_float[column] : 0.0f};
}

template <typename Out>
__device__ __forceinline__ Requantizer read_requantizer(const Scaling& scaling) {
    if constexpr (same<Out, signed char>)
        return {__fdiv_rn(1.0f, scaling.out_scale[0]), scaling.out_zero ? scaling.out_zero[0] : 0};
    else
        return {1.0f, 0};
}

// S from the sum of raw products. Grouped so that no intermediate leaves int32 where S does not.
__device__ __forceinline__ int subtract_zero_points(int products, int a_sum, int w_sum, int k, Row row, Column column) {
    return products - row.zero_point * w_sum - column.zero_point * (a_sum - k * row.zero_point);
}

template <typename Out>
__device__ __forceinline__ Out convert(float y) {
    if constexpr (same<Out, __half>)
        return __float2half_rn(y);
    else if constexpr (same<Out, __nv_bfloat16>)
        return __float2bfloat16_rn(y);
    else
        return y;
}

// The output element from S.
template <typename Out>
__device__ __forceinline__ Out finish(int sum, Row row, Column column, Requantizer requantizer) {
    const int zero_point = requantizer.zero_point;
    const int total = int(unsigned(sum) + unsigned(column.bias_int));
    if constexpr (same<Out, int>) return total;
    const float scaled = __fmul_rn(__int2float_rn(total), __fmul_rn(row.scale, column.scale));
    const float y = __fadd_rn(scaled, column.bias_float);
    if constexpr (same<Out, signed char>) {
        const int q = __float2int_rn(__fmul_rn(y, requantizer.rate));  // half to even; saturates; NaN becomes 0
        return (signed char)(max(-128 - zero_point, min(127 - zero_point, q)) + zero_point);
    } else {
        return convert<Out>(y);
    }
}
