#include "scene.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "memory/slab_pool.h"
#include "raw.h"

namespace hotrow::bench {

namespace {

uint32_t state_of(uint32_t dim, const OptimizerOptions& optimizer) {
  return static_cast<uint32_t>(Optimizer(optimizer).state_values(dim));
}

}  // namespace

Scene::Scene(Bench& all, const SceneShape& its_shape)
    : bench(all),
      shape(its_shape),
      optimizer(shape.optimizer),
      slab(shape.rows, {.dim = shape.dim, .state = state_of(shape.dim, shape.optimizer)}),
      ours({.dim = shape.dim,
            .optimizer = shape.optimizer,
            .memory_bytes = 2 * shape.rows * slab.stride() + (uint64_t{4} << 30)}) {
  bench.report.note("filling " + std::to_string(shape.rows) + " rows of dim " +
                    std::to_string(shape.dim));
  slab.fill(shape.optimizer.kind == OptimizerKind::kAdam ? 0.0F
                                                         : shape.optimizer.initial_accumulator);
  ours.load(shape.rows);
  for (uint32_t i = 0; i < bench.settings.most_threads(); ++i) {
    buffers.push_back(std::make_unique<Buffer>(shape.batch * shape.dim));
    gradient_buffers.push_back(std::make_unique<Buffer>(shape.batch * shape.dim));
  }
}

void Scene::check(const Stream& stream, const std::string& who,
                  const std::function<void(std::span<const uint64_t>, float*)>& lookup) const {
  const size_t n = std::min<size_t>(shape.batch, stream.size());
  const Buffer expected(n * shape.dim);
  const Buffer received(n * shape.dim);
  raw_gather(slab, {stream.rows.data(), n}, expected.data());
  lookup({stream.keys.data(), n}, received.data());
  if (std::equal(expected.data(), expected.data() + n * shape.dim, received.data())) return;
  std::fprintf(stderr, "bench:table: %s gives other rows than were stored\n", who.c_str());
  std::exit(1);
}

uint64_t scene_bytes(uint32_t dim, const OptimizerOptions& optimizer) {
  const uint64_t row = (uint64_t{dim} + state_of(dim, optimizer)) * sizeof(float);
  return 2 * slab_stride(row) + kIndexBytes;
}

const char* name_of(OptimizerKind kind) {
  constexpr std::array kNames = {
      "sgd",      "adagrad",  "rowwise-adagrad", "adam",       "ftrl",     "sum",
      "momentum", "nesterov", "adagrad-decay",   "rmsprop",    "adadelta", "adamw",
      "amsgrad",  "adamax",   "rowwise-adam",    "group-ftrl", "lamb",     "lars",
      "lion"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace hotrow::bench
