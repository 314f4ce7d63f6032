// What g++ inserts with -fsanitize=... calls these functions instead of the sanitizer's library:
// a check that fails ends the launch with the kernel's line, in the same process and at once.
#pragma once

namespace cusim {
struct Place {
    const char* file;
    unsigned line, column;
};
struct Type {  // of -fsanitize's descriptors: its name follows
    unsigned short kind, info;
    char name[1];
};
struct OutOfBounds {
    Place place;
    const Type *array, *index;
};
struct Mismatch {
    Place place;
    const Type* type;
    unsigned char log_alignment, kind;
};
}  // namespace cusim
#define CUSIM_HANDLER(name, ...)                                                              \
    void cusim_##name(__VA_ARGS__) asm("__ubsan_handle_" #name "_abort");                     \
    __attribute__((used, noreturn, cold, no_sanitize("undefined"))) void cusim_##name(__VA_ARGS__)

extern "C" {
CUSIM_HANDLER(out_of_bounds, const cusim::OutOfBounds* what, size_t index) {
    cusim::say("line %u: index %zd is outside an array %s", what->place.line, index,
               what->array->name);
    cusim::give_up();
}
CUSIM_HANDLER(type_mismatch_v1, const cusim::Mismatch* what, size_t address) {
    cusim::say("line %u: address %#zx of %s is not a multiple of %u", what->place.line, address,
               what->type->name, 1u << what->log_alignment);
    cusim::give_up();
}
#define CUSIM_ARITHMETIC(name, text)                                             \
    CUSIM_HANDLER(name, const cusim::Place* place, size_t, size_t) {             \
        cusim::say("line %u: " text, place->line);                               \
        cusim::give_up();                                                        \
    }
CUSIM_ARITHMETIC(add_overflow, "a sum of integers overflows")
CUSIM_ARITHMETIC(sub_overflow, "a difference of integers overflows")
CUSIM_ARITHMETIC(mul_overflow, "a product of integers overflows")
CUSIM_ARITHMETIC(negate_overflow, "the negative of an integer overflows")
CUSIM_ARITHMETIC(divrem_overflow, "an integer is divided by zero, or the quotient overflows")
CUSIM_ARITHMETIC(shift_out_of_bounds, "a shift by a negative or too large a number of bits")
}

#if defined(__SANITIZE_ADDRESS__)
// AddressSanitizer goes on after a report: the scheduler finds the message at the next chance.
extern "C" void __asan_set_error_report_callback(void (*)(const char*));
extern "C" void* __asan_get_report_pc();
extern "C" const char* __asan_get_report_description();
extern "C" void __asan_unpoison_memory_region(const volatile void*, size_t);
extern "C" char __ehdr_start[] __attribute__((visibility("hidden")));  // where the library begins
namespace cusim {
__attribute__((no_sanitize("address"))) static void on_report(const char*) {
    const char* at = static_cast<const char*>(__asan_get_report_pc());
    if (!message[0]) say("<%#zx>: %s", at - __ehdr_start, __asan_get_report_description());
}
// Threads that an error has stopped leave their red zones behind on their stacks.
static void begin_launch() {
    __asan_set_error_report_callback(on_report);
    if (stacks) __asan_unpoison_memory_region(stacks, STRIDE * stack_count);
}
}  // namespace cusim
#else
namespace cusim {
static void begin_launch() {}
}  // namespace cusim
#endif
