/** `hotrow export`: a store's tables to files of other programs. */
import { type Command, choice, required, UsageError, withStore } from './command.ts'
import { columns, grouped } from './output.ts'

const formats = ['safetensors', 'npy', 'arrow'] as const

export const exportCommand: Command = {
  name: 'export',
  summary: 'write tables and dense parameters as safetensors, NumPy or Arrow',
  positionals: ['PATH'],
  flags: {
    format: { type: 'string', value: 'F', help: formats.join(', ') },
    out: {
      type: 'string',
      value: 'O',
      help: 'a file (safetensors; replaces it), or a folder that is not there yet',
    },
    table: { type: 'string', value: 'T', multiple: true, help: 'only this; may be repeated' },
    'no-state': { type: 'boolean', help: "without the optimizers' state" },
  },
  details: 'The newest version is written. docs/FORMATS.md says what lies in the files.',
  async run(call) {
    const format = choice(call, 'format', formats)
    if (format === undefined) throw new UsageError('--format is missing')
    const out = required(call, 'out')
    const tables = call.texts('table')
    await withStore(call.positionals[0]!, 'read', async (store) => {
      const report = await store.exportTo(out, {
        format,
        ...(tables.length > 0 && { tables }),
        state: !call.given('no-state'),
        signal: call.signal,
        onProgress: (progress) => call.output.progress(progress),
      })
      const rows = [
        ...report.tables.map(({ name, rows, state }) => [name, rows, state ? 'yes' : 'no']),
        ...report.dense.map(({ name, state }) => [name, 1, state ? 'yes' : 'no']),
      ]
      call.output.result({ out, ...report }, () => {
        const total = `${out}: ${grouped(report.bytes)} bytes of ${format}`
        return `${columns(['name', 'rows', 'state'], rows)}\n\n${total}`
      })
    })
  },
}
