// Tools that only CI uses, from Debian: installed when that is possible, else the step is skipped.

import { installPackages } from '../bootstrap/system.mjs'
import { which } from '../common/process.mjs'

const kPackages = {
  'clang-format-19': 'clang-format-19',
  'clang-tidy-19': 'clang-tidy-19',
  'clang++-19': 'clang-19',
}

let tried = false

/** The tool's path; the first call installs all missing ones. Undefined when it cannot be had. */
export async function tool(name) {
  const missing = Object.keys(kPackages).filter((each) => !which(each))
  if (missing.includes(name) && !tried) {
    tried = true
    await installPackages(missing.map((each) => kPackages[each]))
  }
  return which(name)
}

export const unavailable = (name) => ({
  skip: `${name} is not installed and cannot be: apt-get install ${kPackages[name]}`,
})

/** Runs `jobs` (functions that return promises) two at a time; resolves to their results. */
export async function twoAtOnce(jobs) {
  const results = []
  const queue = jobs.entries()
  const work = async () => {
    for (const [index, job] of queue) results[index] = await job()
  }
  await Promise.all([work(), work()])
  return results
}

/** One result of many: fails when one failed, with the output of those. */
export function merge(results) {
  const bad = results.filter((result) => result.code !== 0)
  return { code: bad.length > 0 ? 1 : 0, output: bad.map((result) => result.output).join('\n') }
}
