/** All sub-commands, in the order of the help. */
import { clusterCommand } from './cluster.ts'
import type { Command } from './command.ts'
import { doctor } from './doctor.ts'
import { exportCommand } from './export.ts'
import { importCommand } from './import.ts'
import { inspect } from './inspect.ts'
import { keyCommand } from './key.ts'
import { serveCommand } from './serve.ts'
import { traceCommand } from './trace.ts'
import { compact, diff, rollback, verify, versions } from './versions.ts'

export const commands: readonly Command[] = [
  inspect,
  versions,
  diff,
  verify,
  exportCommand,
  importCommand,
  rollback,
  compact,
  serveCommand,
  clusterCommand,
  keyCommand,
  traceCommand,
  doctor,
]
