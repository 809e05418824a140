// Running an example as a user does, and reading what it wrote for programs.

import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { assertEnded, type Ended, runNode } from '../lib/support/children.ts'

export function runExample(name: string, ...options: string[]): Promise<Ended> {
  const args = ['--import', 'tsx', `examples/${name}/main.ts`, ...options]
  return runNode(args, { timeoutMs: 60_000 })
}

export interface Result {
  name: string
  params: Record<string, unknown>
  value: number | null
  reason?: string
  unit: string
  ratios: Record<string, number>
}

/** The results in a file that --json named, each of the form that all examples share. */
export function readResults(path: string): Result[] {
  const written = JSON.parse(readFileSync(path, 'utf8'))
  assert.equal(Object.keys(written).sort(), ['commit', 'machine', 'results'])
  const results = written.results as Result[]
  for (const { name, params, value, reason, unit, ratios } of results) {
    assert.equal([typeof name, typeof unit, typeof params], ['string', 'string', 'object'], name)
    if (value === null) assert.type(reason, 'string', name)
    else assert.ok(Number.isFinite(value), name)
    assert.ok(Object.values(ratios).every(Number.isFinite), name)
  }
  return results
}

/** The values of the results whose name matches. */
export function valuesOf(results: readonly Result[], name: RegExp): number[] {
  return results.flatMap((result) => {
    return name.test(result.name) && result.value !== null ? [result.value] : []
  })
}

/** --help prints every option and ends with 0. */
export async function checkHelp(name: string, options: readonly string[]): Promise<void> {
  const ended = await runExample(name, '--help')
  assertEnded(ended, 0)
  for (const option of [...options, '--help']) assert.ok(ended.output.includes(option), option)
}

/** Each set of options ends with `code`, and one line that says why. */
export async function checkWrong(
  name: string,
  code: number,
  wrong: readonly (readonly [options: string[], message: RegExp])[],
): Promise<void> {
  for (const [options, message] of wrong) {
    const ended = await runExample(name, ...options)
    assertEnded(ended, code)
    assert.match(ended.output, message)
    assert.is(ended.output.trim().split('\n').length, 1, ended.output)
  }
}
