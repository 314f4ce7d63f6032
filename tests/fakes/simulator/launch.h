// Launching a simulated kernel as cuLaunchKernel does: the address of each argument, whose types
// come from the kernel's own signature, which Python reads to check what it passes.
#pragma once

namespace cusim {

// ---------------------------------------------------------------- the kernel's signature as text
struct Text {
    char text[2048];
    int used;
    void add(const char* more) {
        if (used >= int(sizeof text)) return;  // cut off: Python then counts too few arguments
        used += __builtin_snprintf(text + used, sizeof text - used, "%s", more);
    }
};
template <class T> struct Name {  // a struct by value: Python checks its size
    static void add(Text& out) { out.add("struct"); }
};
#define CUSIM_NAME(T) \
    template <> struct Name<T> { static void add(Text& out) { out.add(#T); } };
CUSIM_NAME(void) CUSIM_NAME(bool) CUSIM_NAME(char) CUSIM_NAME(signed char)
CUSIM_NAME(unsigned char) CUSIM_NAME(short) CUSIM_NAME(unsigned short) CUSIM_NAME(int)
CUSIM_NAME(unsigned) CUSIM_NAME(long) CUSIM_NAME(unsigned long) CUSIM_NAME(long long)
CUSIM_NAME(unsigned long long) CUSIM_NAME(float) CUSIM_NAME(double) CUSIM_NAME(float2)
CUSIM_NAME(float3) CUSIM_NAME(float4) CUSIM_NAME(int2) CUSIM_NAME(int4) CUSIM_NAME(uint2)
CUSIM_NAME(uint4) CUSIM_NAME(double2)
template <class T> struct Name<const T> {
    static void add(Text& out) { out.add("const "); Name<T>::add(out); }
};
template <class T> struct Name<T*> {
    static void add(Text& out) { Name<T>::add(out); out.add("*"); }
};
template <class T> static int describe_one(Text& out) {
    char size[32];
    Name<T>::add(out);
    __builtin_snprintf(size, sizeof size, ":%zu;", sizeof(T));
    out.add(size);
    return 0;
}
template <class... A> static const char* describe(void (*)(A...)) {
    static Text out;
    out.used = 0;
    const int each[] = {0, describe_one<A>(out)...};
    (void)each;
    return out.text;
}

// ---------------------------------------------------------------- the launch
template <size_t... I> struct Indices {};
template <size_t N, size_t... I> struct Count : Count<N - 1, N - 1, I...> {};
template <size_t... I> struct Count<0, I...> { using type = Indices<I...>; };
template <class T> struct Plain { using type = T; };
template <class T> struct Plain<const T> { using type = T; };

static void (*caller)(void*, void**);
static void* kernel;
static void** arguments;
template <class... A, size_t... I>
static void call(void (*f)(A...), void** a, Indices<I...>) {
    f(*static_cast<typename Plain<A>::type*>(a[I])...);
}
template <class... A> static void call_as(void* f, void** a) {
    call(reinterpret_cast<void (*)(A...)>(f), a, typename Count<sizeof...(A)>::type());
}
static void call_kernel() { caller(kernel, arguments); }

static unsigned next(uint64_t& state) {  // Knuth's MMIX generator, its upper half
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 32;
}
static void shuffle(unsigned* items, unsigned count, uint64_t& state) {
    for (unsigned i = count; i > 1; --i) {
        const unsigned j = next(state) % i, item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}
#if defined(__SANITIZE_ADDRESS__)
__attribute__((no_sanitize("address", "undefined")))  // it also writes into the red zones
#endif
static void poison(char* begin, char* end) {
    for (volatile char* p = begin; p < end; ++p) *p = '\xff';
}

enum Order { FORWARD, REVERSE, RANDOM };
// 0, or 1 with the reason in `message`. `waits`: the kernel has barriers or shared memory.
static int launch(const unsigned* grid, const unsigned* block, void** args, bool waits, int how,
                  uint64_t seed, char* begin, char* end) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    threads = block[0] * block[1] * block[2];
    begin_launch();
    body = call_kernel;
    arguments = args;
    message[0] = 0;
    shared_begin = begin;
    shared_end = end;
    const unsigned count = grid[0] * grid[1] * grid[2];
    unsigned* blocks = static_cast<unsigned*>(__builtin_malloc(count * sizeof(unsigned)));
    for (unsigned i = 0; i < count; ++i) blocks[i] = how == REVERSE ? count - 1 - i : i;
    if (how == RANDOM) shuffle(blocks, count, seed);
    bool good = true;
    for (unsigned i = 0; i < threads; ++i) order[i] = how == REVERSE ? threads - 1 - i : i;
    for (unsigned i = 0; i < count && good; ++i) {
        const unsigned b = blocks[i];
        blockIdx = {b % grid[0], b / grid[0] % grid[1], b / (grid[0] * grid[1])};
        if (how == RANDOM) shuffle(order, threads, seed);
        poison(begin, end);  // every bit set: a float that nobody has written is a NaN
        good = run_block(waits);
    }
    __builtin_free(blocks);
    return !good;
}
template <class... A> static void choose(void (*f)(A...)) {
    kernel = reinterpret_cast<void*>(f);
    caller = call_as<A...>;
}

}  // namespace cusim

// The linker marks the beginning and the end of the section that holds a kernel's shared memory.
#define CUSIM_EXPORT(name, waits)                                                                  \
    extern "C" {                                                                                   \
    extern char __start_cusim_##name[] __attribute__((weak, visibility("hidden")));                \
    extern char __stop_cusim_##name[] __attribute__((weak, visibility("hidden")));                 \
    __attribute__((visibility("default"))) int cusim_launch_##name(                                \
        const unsigned* grid, const unsigned* block, void** args, int order, uint64_t seed) {      \
        cusim::choose(name);                                                                       \
        return cusim::launch(grid, block, args, waits, order, seed, __start_cusim_##name,          \
                             __stop_cusim_##name);                                                 \
    }                                                                                              \
    __attribute__((visibility("default"))) size_t cusim_shared_##name() {                          \
        return __stop_cusim_##name - __start_cusim_##name;                                         \
    }                                                                                              \
    __attribute__((visibility("default"))) const char* cusim_signature_##name() {                  \
        return cusim::describe(name);                                                              \
    }                                                                                              \
    __attribute__((visibility("default"))) const char* cusim_message_##name() {                    \
        return cusim::message;                                                                     \
    }                                                                                              \
    }
