// The last block to finish: how blocks that have each written a part of a result agree on one of
// them that puts the parts together. Whoever draws the last ticket knows that all parts are there:
// the fence before the ticket sees to it, and the one after it keeps the reads from coming early.
//
// `ticket` is 0 before and after. `arrived` lies in the block's shared memory. All threads of a
// block call this, each having written what it has to; `thread` is the caller's number in it.
// Expects no macros.

// True in all threads of the last of `count` blocks.
__device__ __forceinline__ bool is_last(int* ticket, int count, int thread, int* arrived) {
    __threadfence();
    __syncthreads();
    if (thread == 0) {
        *arrived = atomicAdd(ticket, 1);
        if (*arrived == count - 1) *ticket = 0;  // as the next launch wants it
    }
    __syncthreads();
    __threadfence();
    return *arrived == count - 1;
}
