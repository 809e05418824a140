import { Ours } from '/work/main/bench/ours.ts'
import { keysOf } from '/work/main/bench/jobs.ts'
const job = { work: 'lookup', dim: 64, batch: Number(process.argv[2] ?? 1024), keys: process.argv[3] ?? 'uniform', contenders: ['hotrow'] } as any
const o = new Ours(); await o.load({ rows: 1_000_000, dim: 64 })
const [w] = await o.ways(job, keysOf(job, 1_000_000))
const t: number[] = []
const end = performance.now() + 6000
while (performance.now() < end) { const s = performance.now(); w!.run(); t.push((performance.now() - s) * 1000) }
t.sort((a, b) => a - b)
console.log('us', [0.01, 0.1, 0.25, 0.5, 0.9].map((q) => t[Math.floor(t.length * q)]!.toFixed(2)).join(' '), t.length)
