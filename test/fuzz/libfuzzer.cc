// hotrow_fuzz: what libFuzzer calls. HOTROW_FUZZ_TARGET names the target; with HOTROW_FUZZ_SEEDS,
// a folder, its inputs are written there first.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "test/fuzz/corpus.h"

namespace {

const hotrow::fuzz::Target* chosen = nullptr;

void write_inputs(const std::string& folder) {
  int number = 0;
  for (const auto& input : hotrow::fuzz::inputs_of(*chosen, HOTROW_FUZZ_FOLDER)) {
    std::ofstream file(folder + "/seed-" + std::to_string(number++), std::ios::binary);
    file.write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* const name = std::getenv("HOTROW_FUZZ_TARGET");
  for (const auto* target : hotrow::fuzz::targets()) {
    if (name != nullptr && std::strcmp(target->name, name) == 0) chosen = target;
  }
  if (chosen == nullptr) {
    std::fprintf(stderr, "HOTROW_FUZZ_TARGET: expected one of");
    for (const auto* target : hotrow::fuzz::targets()) std::fprintf(stderr, " %s", target->name);
    std::fprintf(stderr, "\n");
    std::exit(2);
  }
  if (const char* const folder = std::getenv("HOTROW_FUZZ_SEEDS")) write_inputs(folder);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  chosen->run({data, size});
  return 0;
}
