#!/usr/bin/env python3
"""The same rows by PyTorch, which needs no probing: index_select and F.embedding of row numbers,
and Adagrad and Adam of distinct rows. Prints the CSV of hotrow_bench_gpu; words go to stderr.

    torch_rows.py [--pool-gib G] [--time-limit-s S] [--csv FILE] [--commit NAME]

Adagrad unfused is the usual sequence: gather row and state, update, index_copy both back. The
optimizer's own step on sparse gradients is timed beside it.
"""
import argparse
import datetime
import os
import statistics
import sys
import time

HEADER = ("date,device,driver,impl,version,op,layout,dim,dtype,row_bytes,capacity,load,batch,"
          "keys_kind,alpha,hit_rate,dedup,locks,median_us,p95_us,gkeys_s,gb_s_algo,floor_frac,"
          "checks_ok,commit")
BATCHES = (1 << 10, 1 << 14, 1 << 17, 1 << 20)
WARM_UPS = 20


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pool-gib", type=float, default=8)
    parser.add_argument("--time-limit-s", type=float, default=0)
    parser.add_argument("--csv", default="")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--device", default="cuda", help="cpu: tiny sizes, no timings")
    return parser.parse_args()


class Bench:
    def __init__(self, options, torch):
        self.options = options
        self.torch = torch
        self.on_device = options.device == "cuda"
        self.started = time.monotonic()
        self.file = open(options.csv, "a", encoding="ascii") if options.csv else sys.stdout
        if not options.csv or os.path.getsize(options.csv) == 0:
            print(HEADER, file=self.file)
        self.device = torch.cuda.get_device_name() if self.on_device else "cpu"

    def late(self, what):
        limit = self.options.time_limit_s
        if limit == 0 or time.monotonic() - self.started < limit:
            return False
        print(f"left out, the time is over: {what}", file=sys.stderr)
        return True

    def timed(self, work):
        """Median and 95th percentile in microseconds, by events around each repeat."""
        torch = self.torch
        if not self.on_device:
            work(0)
            return 0.0, 0.0
        for i in range(WARM_UPS):
            work(i)
        events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True))
                  for _ in range(self.options.repeats)]
        for i, (begin, end) in enumerate(events):
            begin.record()
            work(i)
            end.record()
        torch.cuda.synchronize()
        samples = sorted(begin.elapsed_time(end) * 1e3 for begin, end in events)
        return statistics.median(samples), samples[min(len(samples) - 1, len(samples) * 95 // 100)]

    def add(self, op, dim, dtype, capacity, batch, times, bytes_per_key, checks):
        row_bytes = dim * (2 if dtype == "f16" else 4)
        median, p95 = times
        gkeys = batch / median * 1e-3 if median else 0
        gbytes = batch * bytes_per_key / median * 1e-3 if median else 0
        date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        print(f"{date},{self.device},{self.torch.version.cuda},torch,{self.torch.__version__},{op},"
              f"none,{dim},{dtype},{row_bytes},{capacity},1,{batch},uniform,0,1,0,none,"
              f"{median:.3f},{p95:.3f},{gkeys:.4f},{gbytes:.1f},0,{checks},{self.options.commit}",
              file=self.file, flush=True)
        print(f"torch {op:22} dim {dim:3} {dtype} batch {batch:7}: {median:9.2f} us "
              f"p95 {p95:9.2f} {gkeys:7.3f} Gkeys/s {gbytes:7.1f} GB/s  {checks}", file=sys.stderr)


def distinct(torch, rows, n, batches, device):
    """`batches` of n distinct rows each, as int64."""
    need = n * batches
    if need <= rows:
        return list(torch.randperm(rows, device=device)[:need].split(n))
    return [torch.randperm(rows, device=device)[:n] for _ in range(batches)]


def sizes(bench, bytes_per_row):
    if not bench.on_device:
        return 1 << 12, (64, 1024)
    return int(bench.options.pool_gib * 2**30) // bytes_per_row, BATCHES


def lookups(bench, dim, dtype):
    torch = bench.torch
    functional = torch.nn.functional
    kind = torch.float16 if dtype == "f16" else torch.float32
    row_bytes = dim * (2 if dtype == "f16" else 4)
    capacity, batches = sizes(bench, row_bytes)
    pool = torch.empty(capacity, dim, dtype=kind, device=bench.options.device).uniform_(0.5, 1)
    for batch in batches if dtype == "f32" else batches[-1:]:
        index = distinct(torch, capacity, batch, 8, bench.options.device)
        out = torch.empty(batch, dim, dtype=kind, device=bench.options.device)
        for op, work in (
                ("index_select", lambda i: torch.index_select(pool, 0, index[i % 8], out=out)),
                ("embedding", lambda i: functional.embedding(index[i % 8], pool))):
            got = work(0)
            some = torch.randint(batch, (max(1, batch // 100),), device=bench.options.device)
            checks = "ok" if torch.equal(got[some], pool[index[0][some]]) else "wrong"
            bench.add(op, dim, dtype, capacity, batch, bench.timed(work), 8 + 2 * row_bytes, checks)


def adagrad_unfused(torch, pool, state, rows, gradient):
    """What a step costs that gathers, updates and copies back."""
    weight = torch.index_select(pool, 0, rows)
    total = torch.index_select(state, 0, rows)
    total.addcmul_(gradient, gradient)
    weight.addcdiv_(gradient, total.sqrt().add_(1e-8), value=-0.01)
    state.index_copy_(0, rows, total)
    pool.index_copy_(0, rows, weight)


def updates(bench, dim):
    torch = bench.torch
    device = bench.options.device
    capacity = 1 << 23 if bench.on_device else 1 << 12
    pool = torch.empty(capacity, dim, device=device).uniform_(0.5, 1)
    state = torch.empty(capacity, dim, device=device).uniform_(0.5, 1)
    least = 12 + 20 * dim  # as hotrow_bench_gpu counts: gradient, row and state
    for batch in ((1 << 14, 1 << 17, 1 << 20) if bench.on_device else (64,)):
        index = distinct(torch, capacity, batch, 8, device)
        gradient = torch.empty(batch, dim, device=device).uniform_(-1, 1)

        def step(i):
            adagrad_unfused(torch, pool, state, index[i % 8], gradient)

        row, before, total = index[0][0], pool[index[0][0]].clone(), state[index[0][0]].clone()
        step(0)
        total = total + gradient[0] ** 2
        expected = before - 0.01 * gradient[0] / (total.sqrt() + 1e-8)
        checks = "ok" if torch.allclose(pool[row], expected, rtol=1e-5) else "wrong"
        bench.add("adagrad_unfused", dim, "f32", capacity, batch, bench.timed(step), least, checks)
        optimizers(bench, pool, index, gradient, least)


def optimizers(bench, pool, index, gradient, least):
    """torch.optim on sparse gradients that are coalesced already."""
    torch = bench.torch
    batch, dim = gradient.shape
    sparse = [torch.sparse_coo_tensor(rows.sort().values[None], gradient, pool.shape,
                                      is_coalesced=True) for rows in index]
    for op, make, bytes_per_key in (
            ("adagrad_optim", lambda p: torch.optim.Adagrad([p], lr=0.01), least),
            ("sparse_adam_optim", lambda p: torch.optim.SparseAdam([p], lr=0.01),
             least + 8 * dim)):
        parameter = torch.nn.Parameter(pool)
        optimizer = make(parameter)

        def step(i):
            parameter.grad = sparse[i % 8]
            optimizer.step()

        try:
            times = bench.timed(step)
        except RuntimeError as error:
            print(f"torch {op}: left out, {error}", file=sys.stderr)
            continue
        bench.add(op, dim, "f32", pool.shape[0], batch, times, bytes_per_key, "not checked")


def main():
    options = arguments()
    try:
        import torch
    except ImportError:
        print("torch=skipped (there is no PyTorch)", file=sys.stderr)
        return
    if options.device == "cuda" and not torch.cuda.is_available():
        print("torch=skipped (PyTorch sees no device)", file=sys.stderr)
        return
    torch.manual_seed(1)
    bench = Bench(options, torch)
    # Updates first: they stand in more of the ratios.
    with torch.no_grad():
        for dim in (64, 16, 32, 128):
            if not bench.late(f"updates of dim {dim}"):
                updates(bench, dim)
        for dtype in ("f32", "f16"):
            for dim in (16, 32, 64, 128):
                if not bench.late(f"lookups of dim {dim} {dtype}"):
                    lookups(bench, dim, dtype)


if __name__ == "__main__":
    main()
