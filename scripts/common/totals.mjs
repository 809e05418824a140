// Counts of tests, and the one closing line that people and programs read.

export function noTotals() {
  return { passed: 0, failed: 0, skipped: 0 }
}

export function add(totals, more) {
  totals.passed += more.passed
  totals.failed += more.failed
  totals.skipped += more.skipped
}

/** `12 passed, 0 failed`, with `, 1 skipped` when there are any. */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** The last closing line in an output, or undefined. */
export function parseClosingLine(output) {
  const found = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1)
  if (!found) return undefined
  return { passed: Number(found[1]), failed: Number(found[2]), skipped: Number(found[3] ?? 0) }
}
