// SPDX-License-Identifier: MIT OR Apache-2.0
// The peers' model in SystemC: one SC_THREAD a process. See ../README.md.
// sc_spawn is declared only with this.
#define SC_INCLUDE_DYNAMIC_PROCESSES
#include <sys/resource.h>
#include <systemc>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <vector>

namespace {

constexpr double kHoldNs = 200;
constexpr double kParallelNs = 1000;

// A FIFO lock that costs nothing: release hands over to the process that has waited longest.
class FifoLock {
public:
    void acquire(sc_core::sc_event& mine) {
        if (!held_) {
            held_ = true;
            return;
        }
        waiting_.push_back(&mine);
        sc_core::wait(mine);
    }
    void release() {
        if (waiting_.empty()) {
            held_ = false;
            return;
        }
        sc_core::sc_event* next = waiting_.front();
        waiting_.pop_front();
        next->notify();
    }

private:
    bool held_ = false;
    std::deque<sc_core::sc_event*> waiting_;
};

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

}  // namespace

int sc_main(int argc, char* argv[]) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: fifo_lock PROCESSES HANDOVERS\n");
        return 2;
    }
    const int processes = std::atoi(argv[1]);
    const std::int64_t handovers = std::atoll(argv[2]);
    sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);

    FifoLock lock;
    std::int64_t done = 0;
    std::vector<std::unique_ptr<sc_core::sc_event>> events;
    for (int id = 0; id < processes; ++id) {
        events.push_back(std::make_unique<sc_core::sc_event>());
        sc_core::sc_event& mine = *events.back();
        // Distinct parallel sections, so that processes do not march in step.
        const sc_core::sc_time parallel(kParallelNs + id * 37 % 101, sc_core::SC_NS);
        const sc_core::sc_time hold(kHoldNs, sc_core::SC_NS);
        sc_core::sc_spawn([&lock, &done, &mine, handovers, parallel, hold] {
            for (;;) {
                lock.acquire(mine);
                sc_core::wait(hold);
                lock.release();
                if (++done >= handovers) {
                    sc_core::sc_stop();
                    return;
                }
                sc_core::wait(parallel);
            }
        });
    }
    const double begun = cpu_seconds();
    sc_core::sc_start();
    const double cpu_s = cpu_seconds() - begun;
    std::printf("%lld %.6f %.0f\n", static_cast<long long>(done), cpu_s,
                sc_core::sc_time_stamp().to_seconds() * 1e9);
    return 0;
}
