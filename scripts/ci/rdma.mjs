// The transport's tests over RDMA, in guests with Soft-RoCE: scripts/rdma.mjs.

import { run } from '../common/process.mjs'
import { closingLine, parseClosingLine } from '../common/totals.mjs'

/** More than its parts may take together: what ends them ends what they have started, too. */
const kMostMs = 1_500_000

async function guests() {
  const result = await run(process.execPath, ['scripts/rdma.mjs'], {
    quiet: true,
    timeoutMs: kMostMs,
  })
  const skipped = /^rdma=skipped \((.*)\)$/m.exec(result.output)
  if (skipped && result.code === 0) return { skip: `rdma=skipped (${skipped[1]})` }
  const counted = parseClosingLine(result.output)
  for (const [line] of result.output.matchAll(/^(?:ok {2}|FAIL| {4} left out:) .*$/gm)) {
    console.log(`  ${line}`)
  }
  return { ...result, note: counted ? `(${closingLine(counted)})` : '' }
}

export const rdmaSteps = [{ name: 'RDMA: Soft-RoCE in guests', work: guests }]
