/** All sub-commands, in the order of the help. */
import type { Command } from './command.ts'
import { exportCommand } from './export.ts'
import { importCommand } from './import.ts'
import { inspect } from './inspect.ts'

export const commands: readonly Command[] = [inspect, exportCommand, importCommand]
