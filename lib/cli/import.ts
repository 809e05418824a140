/** `hotrow import`: files of other programs into a store's tables, as a new version. */
import { stat } from 'node:fs/promises'
import type { OptimizerOptions, TableOptions } from '../options.ts'
import { naming } from '../transfer/files.ts'
import { type Call, type Command, choice, json, number, UsageError, withStore } from './command.ts'
import { columns } from './output.ts'

const formats = ['safetensors', 'npy', 'arrow', 'hugectr'] as const

/** Options of a table to be made; undefined: as the file says. */
function tableOptions(call: Call): (Omit<TableOptions, 'dim'> & { dim?: number }) | undefined {
  const dim = number(call, 'dim')
  const kind = call.text('optimizer') as OptimizerOptions['kind'] | undefined
  const learningRate = number(call, 'learning-rate')
  const valueType = call.text('value-type') as NonNullable<TableOptions['valueType']> | undefined
  if (learningRate !== undefined && kind === undefined) {
    throw new UsageError('--learning-rate: goes with --optimizer')
  }
  const given = {
    ...json(call, 'options'),
    ...(dim !== undefined && { dim }),
    ...(valueType !== undefined && { valueType }),
    ...(kind !== undefined && {
      optimizer: { kind, ...(learningRate !== undefined && { learningRate }) },
    }),
  }
  return Object.keys(given).length === 0 ? undefined : given
}

export const importCommand: Command = {
  name: 'import',
  summary: 'assign rows from safetensors, NumPy, Arrow or HugeCTR files and commit',
  positionals: ['PATH', 'FILE'],
  flags: {
    format: {
      type: 'string',
      value: 'F',
      help: 'safetensors, npy, arrow, hugectr; by default told from FILE',
    },
    table: { type: 'string', value: 'T', help: 'the table that gets the rows of a file with one' },
    create: { type: 'boolean', help: 'make the store when there is none at PATH' },
    dim: { type: 'string', value: 'N', help: 'values per row that the file is to have' },
    optimizer: { type: 'string', value: 'KIND', help: 'of a table that is made: adagrad, ...' },
    'learning-rate': { type: 'string', value: 'R', help: "the optimizer's" },
    'value-type': { type: 'string', value: 'V', help: 'of a table that is made: f32, f16, ...' },
    options: { type: 'string', value: 'JSON', help: 'further options of a table that is made' },
    'no-state': { type: 'boolean', help: "without the optimizers' state" },
    slots: { type: 'boolean', help: "HugeCTR: put slot_id into the keys' upper 20 bits" },
  },
  details:
    'FILE is a file or a folder. Tables that the store lacks are made as the file\n' +
    'says, or by the options here. The version that is made keeps the cursor of the\n' +
    'one before. Nothing is kept when the import fails.',
  async run(call) {
    const [path, file] = call.positionals as [string, string]
    const options = tableOptions(call)
    const format = choice(call, 'format', formats)
    const table = call.text('table')
    // Before a store is made for it.
    await naming(file, () => stat(file))
    await withStore(path, call.given('create') ? 'create' : 'write', async (store) => {
      const report = await store.importFrom(file, {
        ...(format && { format }),
        ...(table !== undefined && { table }),
        ...(options && { options }),
        state: !call.given('no-state'),
        slots: call.given('slots'),
        signal: call.signal,
        onProgress: (progress) => call.output.progress(progress),
      })
      const { version } = await store.commit({ cursor: (await store.version()).cursor })
      const rows = [
        ...report.tables.map(({ name, rows, state }) => [name, rows, state ? 'yes' : 'no']),
        ...report.dense.map(({ name, state }) => [name, 1, state ? 'yes' : 'no']),
      ]
      call.output.result({ version, ...report }, () => {
        return `${columns(['name', 'rows', 'state'], rows)}\n\n${store.path}: version ${version}`
      })
    })
  },
}
