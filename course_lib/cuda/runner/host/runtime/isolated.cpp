// A program around one kernel: reads a job, runs or checks it, writes results back into the job's file and a report.
//     program <job file> <report file> <what the kernel printed>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#if defined(__linux__)
#include <link.h>
#include <sys/prctl.h>
#endif

#include "runtime.cpp"

#include "emergency.hpp"
#include "job.hpp"
#if defined(COURSE_CHECKED)
#include "passes.hpp"
#endif

extern "C" {
extern const host::Kernel course_kernel;
extern host::SharedUse course_shared_use;
}

static const host::Global* find_variable(const char* name) {
    for (int k = 0; k < course_kernel.global_count; ++k)
        if (!strcmp(course_kernel.globals[k].name, name)) return &course_kernel.globals[k];
    return nullptr;
}

struct OpenJob {
    char* file;
    Job* job;
    JobArgument* arguments;
    JobBuffer* buffers;
    JobVariable* variables;
    char** memory;    // where each buffer lies while the kernel runs
    void** pointers;  // what the kernel is called with
    void** values;
};

static bool open_job(const char* path, OpenJob& open) {
    const int file = ::open(path, O_RDWR);
    struct stat info;
    if (file < 0 || fstat(file, &info)) return false;
    void* mapped = mmap(nullptr, size_t(info.st_size), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) return false;
    open.file = static_cast<char*>(mapped);
    open.job = reinterpret_cast<Job*>(open.file);
    open.arguments = reinterpret_cast<JobArgument*>(open.job + 1);
    open.buffers = reinterpret_cast<JobBuffer*>(open.arguments + open.job->arguments);
    open.variables = reinterpret_cast<JobVariable*>(open.buffers + open.job->buffers);
    open.memory = static_cast<char**>(calloc(open.job->buffers + 1, sizeof(char*)));
    open.pointers = static_cast<void**>(calloc(open.job->arguments + 1, sizeof(void*)));
    open.values = static_cast<void**>(calloc(open.job->arguments + 1, sizeof(void*)));
    return true;
}

static void point_arguments(OpenJob& open) {
    for (uint32_t k = 0; k < open.job->arguments; ++k) {
        const JobArgument& argument = open.arguments[k];
        if (argument.buffer >= 0) {
            open.values[k] = open.memory[argument.buffer] + argument.offset;
            open.pointers[k] = &open.values[k];
        } else {
            open.pointers[k] = open.file + argument.offset;
        }
    }
}

static void load(OpenJob& open) {
    for (uint32_t k = 0; k < open.job->buffers; ++k)
        memcpy(open.memory[k], open.file + open.buffers[k].offset, open.buffers[k].bytes);
    for (uint32_t k = 0; k < open.job->variables; ++k)
        if (const host::Global* variable = find_variable(open.variables[k].name))
            memcpy(variable->address, open.file + open.variables[k].offset, open.variables[k].bytes);
}

#if !defined(COURSE_CHECKED)
static void store(OpenJob& open) {
    for (uint32_t k = 0; k < open.job->buffers; ++k)
        memcpy(open.file + open.buffers[k].offset, open.memory[k], open.buffers[k].bytes);
    for (uint32_t k = 0; k < open.job->variables; ++k)
        if (const host::Global* variable = find_variable(open.variables[k].name))
            memcpy(open.file + open.variables[k].offset, variable->address, open.variables[k].bytes);
}
#endif

static Launch launch_of(const OpenJob& open) {
    Launch launch = {};
    launch.thread = course_kernel.thread;
    launch.block = course_kernel.block;
    launch.arguments = open.pointers;
    memcpy(launch.grid, open.job->grid, sizeof launch.grid);
    memcpy(launch.size, open.job->size, sizeof launch.size);
    launch.dynamic_bytes = open.job->dynamic_bytes;
    launch.shared = &course_shared_use;
    launch.workers = open.job->workers;
    return launch;
}

static void say(const char* word, int status, const char* message) {
    char text[1200];
    int length = snprintf(text, sizeof text - 1, "%s\t%d\t%s", word, status, message);
    if (length > int(sizeof text) - 2) length = int(sizeof text) - 2;
    for (int k = 0; k < length; ++k)
        if (text[k] == '\n') text[k] = ' ';
    text[length++] = '\n';
    if (write(report_file, text, size_t(length)) < 0) _exit(71);
}

static void save_printed(const Launch& launch, const char* path) {
    const int file = ::open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file >= 0 && launch.printed_bytes && write(file, launch.printed, launch.printed_bytes) < 0) _exit(71);
    if (file >= 0) close(file);
}

#if !defined(COURSE_CHECKED)
static void run(OpenJob& open, const char* printed) {
    for (uint32_t k = 0; k < open.job->buffers; ++k) {
        char* memory = nullptr;
        const JobBuffer& buffer = open.buffers[k];
        if (posix_memalign(reinterpret_cast<void**>(&memory), 64, buffer.bytes + 128)) _exit(70);
        open.memory[k] = memory + buffer.misalignment;
    }
    load(open);
    point_arguments(open);
    Launch launch = launch_of(open);
    host_launch(&launch);
    save_printed(launch, printed);
    store(open);
    say("pass", launch.status, launch.message);
}
#else
static void check(OpenJob& open, const char* printed) {
    for (uint32_t k = 0; k < open.job->buffers; ++k)
        if (!(open.memory[k] = place_buffer(open.buffers[k]))) _exit(70);
    for (int k = 0; k < course_kernel.global_count; ++k) {
        const host::Global& variable = course_kernel.globals[k];
        char* base = static_cast<char*>(variable.address);
        char* reach = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(base) + variable.bytes + 255) / 256 * 256);
        watch_region({base, variable.bytes, base, reach, base, reach, variable.name, 0, region_variable, nullptr,
                      nullptr, nullptr});
    }
    watch_dynamic_shared(open.job->dynamic_bytes);
    point_arguments(open);
    Passes passes = {};
    passes.prepare(open.job->buffers, open.buffers, open.memory);
    const uint64_t start = monotonic_nanoseconds();
    uint64_t before = start;
    for (uint32_t pass = 0; pass < open.job->passes; ++pass) {
        // another order is worth trying only where it will surely be done in time: a slow kernel is not an endless one
        const uint64_t now = monotonic_nanoseconds();
        if (pass && now - start + 2 * (now - before) > open.job->milliseconds * uint64_t(1000000)) break;
        before = now;
        Launch launch = launch_of(open);
        launch.order = pass == 0 ? order_forward : pass == 1 ? order_reverse : order_random;
        launch.seed = open.job->seed + pass;
        launch.workers = 1;
        load(open);
        passes.run(launch, 0xff);
        if (pass == 0) save_printed(launch, printed);
        say("pass", launch.status, launch.message);
        if (launch.status) break;
        if (pass == 0) {
            passes.keep();
            if (passes.doubtful()) {
                // does what the kernel read, and nobody had written, make a difference? Ask with something else there
                load(open);
                Launch again = launch_of(open);
                again.workers = 1;
                passes.run(again, 0x3c);
                say("doubt", passes.first_difference() >= 0 || again.status, "");
            }
        } else {
            passes.compare(launch.order == order_reverse ? "reverse" : "random");
        }
        if (found_race) break;  // other orders would only say it again, and differently
    }
}
#endif

#if defined(__linux__)
static int look_at_program(dl_phdr_info* info, size_t, void*) {
    program_start = info->dlpi_addr;  // what the loader added to the addresses in the file
#if defined(COURSE_CHECKED)
    for (int k = 0; k < info->dlpi_phnum; ++k)
        if (info->dlpi_phdr[k].p_type == PT_TLS && info->dlpi_tls_data) {
            tls_low = static_cast<char*>(info->dlpi_tls_data);
            tls_high = tls_low + info->dlpi_phdr[k].p_memsz;
        }
#endif
    return 1;  // the program itself comes first
}
#endif

int main(int count, char** words) {
    if (count != 4) return 64;
#if defined(__linux__)
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // whoever started this is gone: nobody will read the report
    dl_iterate_phdr(look_at_program, nullptr);
#endif
    rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    report_file = ::open(words[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
    OpenJob open = {};
    if (report_file < 0 || !open_job(words[1], open)) return 65;
    prepare_for_the_worst(open.job->milliseconds);
#if defined(COURSE_CHECKED)
    call_stacks.prepare();
#if defined(COURSE_TRACED)
    start_trace();
#endif
    check(open, words[3]);
#if defined(COURSE_TRACED)
    save_trace(words[2]);
#endif
#else
    run(open, words[3]);
#endif
    say("done", 0, "");
    return 0;
}
