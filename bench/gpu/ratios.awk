# The headline ratios, from the CSV of hotrow_bench_gpu and torch_rows.py.
#   1 date 2 device 3 driver 4 impl 5 version 6 op 7 layout 8 dim 9 dtype 10 row_bytes 11 capacity
#   12 load 13 batch 14 keys_kind 15 alpha 16 hit_rate 17 dedup 18 locks 19 median_us 20 p95_us
#   21 gkeys_s 22 gb_s_algo 23 floor_frac 24 checks_ok 25 commit
function ratio(a, b) { return b + 0 == 0 ? 0 : a / b }
$19 + 0 == 0 { next }
$24 == "wrong" { wrong[++wrongs] = $6 " dim " $8 " batch " $13 }
$14 == "uniform" && $13 == 1048576 && $9 == "f32" && $16 > 0.999 {
  if ($6 == "find_gather" || $6 ~ /^(gather|probe|find_gather_)/) {
    if ($12 > 0.9) {
      fraction[$6, $10] = $23
      if (!($6 in seen)) { seen[$6] = 1; ops[++count] = $6 }
    }
    if ($6 == "find_gather") by_load[$10, $12 > 0.9 ? 3 : $12 > 0.6 ? 2 : 1] = $19
  }
  if ($6 ~ /^push_/ || $6 ~ /^(adagrad|sparse_adam)_/) update[$6, $10] = $19
  if ($6 == "index_select" || $6 == "embedding") torch[$6, $10] = $19
  if ($6 == "find_gather" && $12 > 0.9) ours[$10] = $19
}
$6 ~ /^small_/ { small[$6, $10] = $19 " p95 " $20 }
$6 ~ /^(cpu_|gpu_)/ { cpu[$6, $10, $16 > 0.999 ? 100 : 80] = $21 }
$6 ~ /^steps_/ { line[++lines] = sprintf("%-22s dim %3d hit %.3f: %.1f steps/s%s", $6, $8, $16, 1e6 / $19, $23 > 0 ? sprintf(", %.2f times as many as without", $23) : "") }
$6 ~ /^serve_/ { line[++lines] = sprintf("%-22s dim %3d hit %.3f: lookups of %d keys, p50 %.0f us, p95 %.0f us", $6, $8, $16, $13, $19, $20) }
$6 ~ /^peer_/ && $4 != "hotrow" { line[++lines] = sprintf("%-18s %-10s R %3d load %.2f batch %7d hit %.3f: %.3f Gkeys/s, time of ours %.3f of it", $6, $4, $10, $12, $13, $16, $21, $23) }
$6 ~ /^misses_/ { line[++lines] = sprintf("%-22s R %3d hit %.2f: %.3f of min(HBM, PCIe, CPU tier), %.3f Gkeys/s", $6, $10, $16, $23, $21) }
END {
  split("64 128 256 512", rows, " ")
  printf "%-30s %8s %8s %8s %8s\n", "of raw gather, 1M keys, R =", 64, 128, 256, 512
  for (i = 1; i <= count; i++) {
    printf "%-30s", ops[i]
    for (r = 1; r <= 4; r++) printf " %8s", fraction[ops[i], rows[r]]
    printf "\n"
  }
  for (r = 1; r <= 4; r++) {
    R = rows[r]
    if (by_load[R, 3] > 0 && by_load[R, 1] > 0) {
      printf "R %3d: load 1.0 over 0.5 %.3f, over 0.75 %.3f (time)", R, by_load[R, 3] / by_load[R, 1], ratio(by_load[R, 3], by_load[R, 2])
      if (torch["index_select", R] > 0) printf "; speed over index_select %.2f, over embedding %.2f", torch["index_select", R] / ours[R], torch["embedding", R] / ours[R]
      printf "\n"
    }
  }
  for (r = 1; r <= 4; r++) {
    R = rows[r]
    if (update["push_adagrad", R] > 0 && update["adagrad_unfused", R] > 0)
      printf "R %3d: Adagrad over torch unfused %.2f, over torch.optim %.2f; Adam over SparseAdam %.2f\n", R, update["adagrad_unfused", R] / update["push_adagrad", R], update["adagrad_optim", R] / update["push_adagrad", R], ratio(update["sparse_adam_optim", R], update["push_adam", R])
  }
  for (r = 1; r <= 4; r++) {
    R = rows[r]
    if (small["small_graph_wall", R] != "")
      printf "R %3d: 1,000 keys, us: graph %s, on the device %s, launch %s\n", R, small["small_graph_wall", R], small["small_graph_events", R], small["small_launch_wall", R]
  }
  for (r = 1; r <= 4; r++) {
    R = rows[r]
    for (hit = 100; hit >= 80; hit -= 20) {
      best = cpu["cpu_callers", R, hit] > cpu["cpu_pool", R, hit] ? cpu["cpu_callers", R, hit] : cpu["cpu_pool", R, hit]
      if (best > 0 && cpu["gpu_find_gather", R, hit] > 0)
        printf "R %3d hit %d%%: GPU over CPU, all threads %.1f, one thread %.1f\n", R, hit, cpu["gpu_find_gather", R, hit] / best, ratio(cpu["gpu_find_gather", R, hit], cpu["cpu_one", R, hit])
    }
  }
  for (i = 1; i <= lines; i++) print line[i]
  for (i = 1; i <= wrongs; i++) print "WRONG ROWS: " wrong[i]
}
