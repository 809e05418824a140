// Is a history of calls on one register linearizable? That is, can every call be given one instant
// between its beginning and its end, so that each reads what the calls before it have left?
//
// Wing and Gong's search (Testing and Verifying Concurrent Objects, 1993), which takes what may
// come first as the first and goes on with the rest, with Lowe's memory of what was tried (2017):
// two ways to the same calls and the same value go on alike. Histories of several registers are
// linearizable when each register's is.

export interface Operation {
  kind: 'read' | 'assign' | 'add'
  /** What was read, assigned or added. */
  value: number
  /** When it was called, on the clock of whoever wrote the history. */
  called: number
  /** When its answer was there. Infinity: none came, so it may take effect at any time or never. */
  ended: number
}

/** The value after `its`; undefined: it cannot come now. */
function after(its: Operation, value: number): number | undefined {
  if (its.kind === 'assign') return its.value
  if (its.kind === 'add') return Math.fround(value + its.value)
  return its.value === value ? value : undefined
}

/** `history` in any order, of at most a few dozen calls that overlap. */
export function isLinearizable(history: readonly Operation[], initial = 0): boolean {
  // Of a read without an answer nothing is known.
  const calls = history.filter(({ kind, ended }) => kind !== 'read' || Number.isFinite(ended))
  calls.sort((a, b) => a.called - b.called)
  const answered = calls.reduce((mask, { ended }, i) => {
    return Number.isFinite(ended) ? mask | (1n << BigInt(i)) : mask
  }, 0n)
  const tried = new Set<string>()

  const search = (done: bigint, value: number): boolean => {
    if ((done & answered) === answered) return true
    const state = `${done} ${value}`
    if (tried.has(state)) return false
    tried.add(state)
    const rest = calls.map((_, i) => i).filter((i) => ((done >> BigInt(i)) & 1n) === 0n)
    const firstEnd = Math.min(...rest.map((i) => (calls[i] as Operation).ended))
    return rest.some((i) => {
      const its = calls[i] as Operation
      // Else one has ended before it was called, and comes first.
      if (its.called > firstEnd) return false
      const next = after(its, value)
      return next !== undefined && search(done | (1n << BigInt(i)), next)
    })
  }
  return search(0n, initial)
}

/** A history as a person reads it. */
export function describe(history: readonly Operation[]): string {
  return history
    .toSorted((a, b) => a.called - b.called)
    .map(({ kind, value, called, ended }) => `  ${called}–${ended} ${kind} ${value}`)
    .join('\n')
}
