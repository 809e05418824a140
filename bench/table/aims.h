// What the table is to reach, as ratios within one run (higher is better) or, where `at_most`, as
// a value that is not to be exceeded.
#ifndef HOTROW_BENCH_TABLE_AIMS_H_
#define HOTROW_BENCH_TABLE_AIMS_H_

namespace hotrow::bench {

struct Aim {
  const char* figure;
  const char* against;
  double reach;
  double beyond;
  bool at_most = false;
};

inline constexpr Aim kAims[] = {
    {"lookup/dim16/batch4096/uniform/1t", "raw", 0.45, 0.50},
    {"lookup/dim32/batch4096/uniform/1t", "raw", 0.55, 0.65},
    {"lookup/dim64/batch4096/uniform/1t", "raw", 0.75, 0.85},
    {"lookup/dim128/batch4096/uniform/1t", "raw", 0.78, 0.90},
    {"lookup/dim64/batch65536/uniform/1t", "raw", 0.9, 1.0},
    {"lookup/dim128/batch65536/uniform/1t", "raw", 0.9, 1.0},
    {"lookup/dim16/batch4096/uniform/1t", "tbb", 8, 10},
    {"lookup/dim64/batch4096/uniform/1t", "tbb", 4.5, 5},
    {"lookup/dim16/batch4096/uniform/1t", "best peer", 3.2, 4},
    {"lookup/dim64/batch4096/uniform/1t", "best peer", 1.9, 2.2},
    {"scaling/lookup/dim64/batch4096/uniform", "1 thread", 1.85, 1.95},
    {"scaling/insert/dim64", "1 thread", 1.7, 1.9},
    {"push/dim64/adam/batch4096/uniform/1t", "raw", 0.80, 0.90},
    {"push/dim64/adam/batch4096/uniform/2t", "raw", 0.80, 0.90},
    {"mixed/dim32/adagrad/batch1024/zipf1.05/2t", "tbb", 3.5, 5},
    {"mixed/dim32/adagrad/batch1024/zipf1.05/2t", "best peer", 2, 2.5},
    {"insert/dim64/1t", "tbb", 5, 7},
    {"insert/dim64/2t", "tbb", 3.5, 6},
    {"index-bytes", "", 20, 16, true},
    {"f16/lookup/dim64/batch4096/uniform/1t", "f32", 1.5, 1.8},
    {"pause/dim16/write", "", 2000, 2000, true},
    {"pause/dim16/read", "", 2000, 2000, true},
    {"fused/dim64/sgd/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/adagrad/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/rowwise-adagrad/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/adam/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/ftrl/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/sum/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/momentum/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/nesterov/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/adagrad-decay/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/rmsprop/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/adadelta/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/adamw/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/amsgrad/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/adamax/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/rowwise-adam/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/group-ftrl/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/lamb/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/lars/1t", "bytes floor", 0.88, 0.95},
    {"fused/dim64/lion/1t", "bytes floor", 0.88, 0.95},
};

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_AIMS_H_
