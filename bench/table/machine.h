// The machine and the commit, in words, and what of its state spoils measurements.
#ifndef HOTROW_BENCH_TABLE_MACHINE_H_
#define HOTROW_BENCH_TABLE_MACHINE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace hotrow::bench {

std::string machine_words();
/// The checked-out commit; empty outside a clone.
std::string commit_name();
/// Bytes the system could hand out now without swapping.
uint64_t available_bytes();
/// Bytes of memory this process holds.
uint64_t resident_bytes();
/// One sentence for each thing that will make the figures noisy or unlike others'.
std::vector<std::string> warnings();

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_MACHINE_H_
