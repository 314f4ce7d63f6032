// One block of a simulated kernel: a fiber for each CUDA thread, and the scheduler that lets them
// run, one after the other, each until it waits.
//
// A fiber runs undisturbed from one barrier to the next, so the order in which the scheduler takes
// the threads decides every race: what a kernel computes must not depend on it. The scheduler also
// notices what leaves a GPU hanging or undefined: a barrier that only some threads reach, a warp
// operation whose other lanes have returned.
#pragma once

namespace cusim {

constexpr unsigned MAX_THREADS = 1024;
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t STACK = 128 << 10;  // the sanitizer's red zones need room
#else
constexpr size_t STACK = 64 << 10;
#endif
// Stacks whose distance is a power of two would all lie in the same few lines of the cache.
constexpr size_t STRIDE = STACK + 17 * 64;
constexpr uint64_t CANARY = 0x5afe57acc0ffee00;

// ---------------------------------------------------------------- switching from stack to stack
#if defined(__x86_64__) && !defined(CUSIM_UCONTEXT)
// What the calling convention asks a function to preserve goes on the old stack and comes back
// from the new one: 35 ns for a thread to pass a barrier, where swapcontext takes 740.
extern "C" void cusim_switch(void** from, void* to);
asm(R"(
.text
.type cusim_switch, @function
cusim_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
.size cusim_switch, .-cusim_switch
)");
struct Context {
    void* sp;
};
static void prepare(Context& context, char* stack, void (*start)()) {
    void** top = reinterpret_cast<void**>(stack + STACK);
    *--top = nullptr;  // start never returns
    *--top = reinterpret_cast<void*>(start);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    context.sp = top;
}
static void change(Context& from, Context& to) { cusim_switch(&from.sp, to.sp); }
#else
struct Context {
    ucontext_t registers;
};
static void prepare(Context& context, char* stack, void (*start)()) {
    getcontext(&context.registers);
    context.registers.uc_stack.ss_sp = stack + 16;  // below it is the canary
    context.registers.uc_stack.ss_size = STACK - 16;
    context.registers.uc_link = nullptr;
    makecontext(&context.registers, start, 0);
}
static void change(Context& from, Context& to) { swapcontext(&from.registers, &to.registers); }
#endif

// ---------------------------------------------------------------- the threads of the running block
enum State : unsigned char { READY, AT_BARRIER, AT_WARP, RETURNED };
struct Fiber {
    Context context;
    State state;
    bool fenced;           // has called __threadfence since its last atomicAdd
    bool odd;              // the number of its products on the tensor cores
    int line;              // where it waits
    unsigned mask;         // AT_WARP: the lanes that take part
    int source;            // AT_WARP: the lane whose value it wants
    uint64_t value, got;   // AT_WARP: what it offers, what it received
};
static Fiber fibers[MAX_THREADS];
static Context scheduler;
static unsigned current, threads, order[MAX_THREADS];
static char message[600];
static char* stacks;  // below the first one is room for what it may overflow
static unsigned stack_count;
static void (*body)();

static void say(const char* format, ...) {
    va_list values;
    va_start(values, format);
    const int n = __builtin_snprintf(message, sizeof message, "block (%u, %u, %u): ", blockIdx.x,
                                     blockIdx.y, blockIdx.z);
    __builtin_vsnprintf(message + n, sizeof message - n, format, values);
    va_end(values);
}
// Called by a thread that did something forbidden, after say(): the launch ends here.
[[noreturn]] static void give_up() {
    change(fibers[current].context, scheduler);
    __builtin_abort();
}
static void become(unsigned t) {
    current = t;
    threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
}
static void wait(State state, int line) {
    fibers[current].state = state;
    fibers[current].line = line;
    change(fibers[current].context, scheduler);
}
static void one_thread() {
    body();
    fibers[current].state = RETURNED;
    give_up();
}
// Kernels without barriers, shuffles and shared memory: one fiber runs all threads.
static void all_threads() {
    const unsigned first = order[0];
    for (unsigned i = 0; i < threads; ++i) {
        become(order[i]);
        fibers[current].fenced = false;
        body();
    }
    current = first;
    fibers[current].state = RETURNED;
    give_up();
}

static unsigned warp_of(unsigned t) { return t & ~31u; }
static unsigned lanes_of(unsigned warp) {
    return threads - warp < 32 ? (1u << (threads - warp)) - 1 : 0xffffffffu;
}
// Lets the lanes go that wait with thread `t`, if all of them are there; hands over their values.
static bool release_lanes(unsigned t) {
    const unsigned warp = warp_of(t), mask = fibers[t].mask & lanes_of(warp);
    for (unsigned lane = 0; lane < 32; ++lane) {
        if (!(mask >> lane & 1)) continue;
        const Fiber& other = fibers[warp + lane];
        if (other.state != AT_WARP || other.line != fibers[t].line || other.mask != fibers[t].mask)
            return false;
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
        if (!(mask >> lane & 1)) continue;
        Fiber& one = fibers[warp + lane];
        if (!(mask >> one.source & 1)) {
            say("line %d: lane %u reads from lane %d, which takes no part", one.line, lane,
                one.source);
            return false;
        }
        one.got = fibers[warp + one.source].value;
        one.state = READY;
    }
    return true;
}
static bool release_warps() {
    bool any = false;
    for (unsigned t = 0; t < threads; ++t)
        if (fibers[t].state == AT_WARP && release_lanes(t)) any = true;
    return any;
}
static void where(char* text, size_t size, unsigned t) {
    if (fibers[t].state == RETURNED)
        __builtin_snprintf(text, size, "thread %u, which has left the kernel", t);
    else
        __builtin_snprintf(text, size, "thread %u, which waits at line %d", t, fibers[t].line);
}
// Nobody can go on: lets the block pass its barrier, or says why it cannot.
static bool release_block() {
    char text[100];
    for (unsigned t = 0; t < threads; ++t) {
        if (fibers[t].state != AT_WARP) continue;
        const unsigned mask = fibers[t].mask & lanes_of(warp_of(t));
        for (unsigned other = warp_of(t); other < threads && other < warp_of(t) + 32; ++other)
            if (mask >> (other & 31) & 1 && (fibers[other].state != AT_WARP ||
                fibers[other].line != fibers[t].line || fibers[other].mask != fibers[t].mask)) {
                where(text, sizeof text, other);
                say("the warp operation at line %d waits for %s", fibers[t].line, text);
                return false;
            }
    }
    unsigned first = 0, there = 0;
    while (fibers[first].state != AT_BARRIER) ++first;
    for (unsigned t = 0; t < threads; ++t)
        there += fibers[t].state == AT_BARRIER && fibers[t].line == fibers[first].line;
    for (unsigned t = 0; t < threads && there < threads; ++t)
        if (fibers[t].state != AT_BARRIER || fibers[t].line != fibers[first].line) {
            where(text, sizeof text, t);
            say("the barrier at line %d is reached by %u of %u threads, but not by %s",
                fibers[first].line, there, threads, text);
            return false;
        }
    for (unsigned t = 0; t < threads; ++t) fibers[t].state = READY;
    return true;
}
static bool run_block(bool waits) {
    const unsigned count = waits ? threads : 1;
    if (stack_count < count) {
        if (stacks) __builtin_free(stacks - STRIDE);
        stacks = static_cast<char*>(__builtin_malloc(STRIDE * (count + 1))) + STRIDE;
        stack_count = count;
    }
    for (unsigned i = 0; i < count; ++i) {
        Fiber& fiber = fibers[order[i]];
        __builtin_memcpy(stacks + i * STRIDE, &CANARY, sizeof CANARY);
        prepare(fiber.context, stacks + i * STRIDE, waits ? one_thread : all_threads);
        fiber.state = READY;
        fiber.fenced = fiber.odd = false;
    }
    for (unsigned returned = 0; returned < count;) {
        for (unsigned i = 0; i < count; ++i) {
            Fiber& fiber = fibers[order[i]];
            if (fiber.state != READY) continue;
            become(order[i]);
            change(scheduler, fiber.context);
            if (__builtin_memcmp(stacks + i * STRIDE, &CANARY, sizeof CANARY))
                say("a thread used more than the %zu bytes of a simulated stack", STACK);
            if (message[0]) return false;
            returned += fiber.state == RETURNED;
        }
        if (returned < count && !release_warps() && (message[0] || !release_block())) return false;
        if (message[0]) return false;
    }
    return true;
}

}  // namespace cusim
