// The last block to finish: how blocks that have each written a part of a result agree on one of
// them that puts the parts together (`is_last`), and how many parts of a sum are put together in
// several levels (`add_parts`). Whoever draws the last ticket knows that all parts are there: the
// fence before the ticket sees to it, and the one after it keeps the reads from coming early.
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

// The sum over the parts that `parts` blocks have made, of which this one has number `index`, as a
// tree: of every `fan` neighbours the last to arrive adds all their parts, in order, and goes on to
// the next level in their name. Which block is last varies from run to run; what is added, and in
// which order, does not. Levels, because a single block would be long about reading a hundred parts.
// True in the one block that has the whole sum in the end; with one part that is so from the start,
// and neither memory nor tickets are needed.
//
// `tickets` are integers, 0 before and after: one for each group of each level.
// `put(slot)` writes what this block has to the slot of that number, of `parts` slots, and
// `add(slot, step, members)` replaces it by the sum of slot, slot + step, ..., `members` of them.
template <class Put, class Add>
__device__ __forceinline__ bool add_parts(int index, int parts, int fan, int* tickets, int thread,
                                          int* arrived, Put put, Add add) {
    for (int left = parts, step = 1; left > 1; step *= fan) {
        const int group = index / fan, members = min(fan, left - group * fan);
        put(index * step);
        if (!is_last(tickets + group, members, thread, arrived)) return false;
        add(group * fan * step, step, members);
        index = group;
        left = (left + fan - 1) / fan;  // the groups are the parts of the next level
        tickets += left;
    }
    return true;
}
