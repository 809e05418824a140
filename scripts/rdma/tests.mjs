// What runs in guests, and the counts that must come back.

import { join } from 'node:path'
import { add, noTotals } from '../common/totals.mjs'
import { skipReason } from '../test/ctest.mjs'
import { testNames } from '../test/gtest.mjs'
import { cableEnd, kAlone, startGuest } from './guest.mjs'

/** Of an idle machine a minute or so; others may be at work beside it. */
const kMostGuestMs = 480_000
const kMostGoodbyeMs = 20_000
/** A guest is some thirty times as slow as its host: as many rounds as it takes to go each way. */
const kScale = '0.1'

/** Every test over a link. Those that are about other transports, or none, are left out. */
const kTogether = 'Fabric.*:FabricStores.*:FabricTickets.*:OverFabric/*'
const kLeftOut = {
  'Fabric.IsThereWhereItsLibraryIs': 'of shared memory',
  'Fabric.HexadecimalDigitsAreReadBack': 'of no transport',
}
const kServer = 'FabricApart.DISABLED_Serves'
const kClient = 'FabricApartClient.*'

const without = Object.keys(kLeftOut).join(':')

const named = (program, filter) => testNames([program, `--gtest_filter=${filter}`])

export const testsTogether = (program) => named(program, `${kTogether}-${without}`)

/** The guest's result held against the names of the tests that it should have run. */
function judge(title, names, { output, code, seconds, timedOut }) {
  const totals = noTotals()
  const complaints = []
  for (const name of names) {
    const escaped = name.replace(/[.+^${}()|[\]\\]/g, '\\$&')
    if (new RegExp(`^\\[ {7}OK \\] ${escaped} \\(`, 'm').test(output)) {
      totals.passed++
      continue
    }
    totals.failed++
    const skipped = new RegExp(`${escaped}\\n(?:(?!\\[).*\\n)*\\[ {2}SKIPPED \\]`).exec(output)
    complaints.push(`${name}: ${skipped ? `skipped, ${skipReason(skipped[0])}` : 'did not pass'}`)
  }
  const packets = Number(/^== packets (\d+)$/m.exec(output)?.[1] ?? 0)
  // Else the tests had gone another way.
  if (packets < 1000) complaints.push(`only ${packets} packets went over RDMA`)
  if (code !== '0') complaints.push(`the guest's end: ${code}`)
  if (timedOut) complaints.push('it ran too long')
  if (complaints.length > 0 && totals.failed === 0) totals.failed++
  console.log(
    `${totals.failed > 0 ? 'FAIL' : 'ok  '} ${title}: ${totals.passed} of ${names.length} tests, ` +
      `${packets} packets in ${seconds.toFixed(0)} s`,
  )
  if (totals.failed > 0) {
    console.log(output.trimEnd().replace(/^/gm, '  | '))
    for (const complaint of complaints) console.log(`     ${complaint}`)
  }
  return totals
}

/** Both sides in one guest. */
export async function runTogether({ kernel, image, program }) {
  for (const [name, why] of Object.entries(kLeftOut)) console.log(`     left out: ${name}, ${why}`)
  const { end } = startGuest({
    ...{ kernel, image, net: kAlone, number: 1, timeoutMs: kMostGuestMs },
    variables: { ALL: 0, HOTROW_TEST_SCALE: kScale },
  })
  return judge('one guest', testsTogether(program), await end)
}

/** A server in one guest, clients in another. */
export async function runApart({ kernel, image, program }, folder) {
  const cable = join(folder, 'cable')
  const common = { kernel, image, timeoutMs: kMostGuestMs }
  const variables = { ALL: 1, HOTROW_TEST_SCALE: kScale }
  const client = { started: undefined }
  const server = startGuest({
    ...{ ...common, net: cableEnd(cable, true), number: 1 },
    variables: { ...variables, FILTER: kServer },
    heard: (output) => {
      if (!output.includes('== begin') || client.started) return
      client.started = startGuest({
        ...{ ...common, net: cableEnd(cable, false), number: 2 },
        variables: { ...variables, FILTER: kClient },
      })
      // A server whose client has ended badly would wait for it.
      client.started.end.then(() => setTimeout(server.stop, kMostGoodbyeMs).unref())
    },
  })
  const served = await server.end
  const totals = judge('the server of two guests', named(program, kServer), served)
  if (client.started) {
    const used = await client.started.end
    add(totals, judge('its client', named(program, kClient), used))
  }
  return totals
}
