// A small deep network: the rows of a person's categories beside the numbers, through layers, to
// one logit. All that it learns is in the store: the rows in a table, the layers as dense
// parameters.

import { normal, type Store, type Table } from 'hotrow'
import { CATEGORY_FIELDS, NUMBER_FIELDS, type People } from './data.ts'
import { Layer } from './layer.ts'
import { CATEGORY_OPTIMIZER, DIM, HIDDEN, INITIAL_STDDEV, SEED } from './settings.ts'

const EMBEDDED = CATEGORY_FIELDS * DIM
const INPUTS = EMBEDDED + NUMBER_FIELDS

export class Model {
  readonly #categories: Table
  readonly #layers: readonly Layer[]

  private constructor(categories: Table, layers: readonly Layer[]) {
    this.#categories = categories
    this.#layers = layers
  }

  static async create(store: Store): Promise<Model> {
    const categories = await store.table('category', {
      dim: DIM,
      initializer: normal(INITIAL_STDDEV),
      optimizer: CATEGORY_OPTIMIZER,
      seed: SEED,
    })
    const sizes = [INPUTS, ...HIDDEN, 1]
    const layers: Layer[] = []
    for (let i = 0; i < sizes.length - 1; i++) {
      const rectified = i < HIDDEN.length
      const shape = { inputs: sizes[i]!, outputs: sizes[i + 1]!, rectified }
      layers.push(await Layer.create(store, `layer ${i + 1}`, shape, SEED + 1 + i))
    }
    return new Model(categories, layers)
  }

  /** The logits of people [start, end). */
  async predict(people: People, start: number, end: number): Promise<Float32Array> {
    const [rows] = await Promise.all([
      this.#categories.lookup(categoriesOf(people, start, end)),
      ...this.#layers.map((layer) => layer.pull()),
    ])
    let values = inputs(rows, people, start, end)
    for (const layer of this.#layers) values = layer.forward(values)
    return values
  }

  /** Learns from the people predicted last. errors [end - start]: probability - label. */
  async learn(people: People, start: number, end: number, errors: Float32Array): Promise<void> {
    // The loss is the mean over the batch.
    let slopes: Float32Array = errors.map((error) => error / errors.length)
    for (const layer of this.#layers.toReversed()) slopes = layer.backward(slopes)
    await Promise.all([
      this.#categories.push(categoriesOf(people, start, end), embedded(slopes)),
      ...this.#layers.map((layer) => layer.push()),
    ])
  }
}

function categoriesOf(people: People, start: number, end: number): BigUint64Array {
  return people.keys.subarray(start * CATEGORY_FIELDS, end * CATEGORY_FIELDS)
}

/** [people, INPUTS]: each person's rows, then the numbers. */
function inputs(rows: Float32Array, people: People, start: number, end: number): Float32Array {
  const out = new Float32Array((end - start) * INPUTS)
  for (let i = 0; i < end - start; i++) {
    const numbers = (start + i) * NUMBER_FIELDS
    out.set(rows.subarray(i * EMBEDDED, (i + 1) * EMBEDDED), i * INPUTS)
    out.set(people.numbers.subarray(numbers, numbers + NUMBER_FIELDS), i * INPUTS + EMBEDDED)
  }
  return out
}

/** The part of the inputs' slopes that belongs to the rows. */
function embedded(slopes: Float32Array): Float32Array {
  const count = slopes.length / INPUTS
  const out = new Float32Array(count * EMBEDDED)
  for (let i = 0; i < count; i++) {
    out.set(slopes.subarray(i * INPUTS, i * INPUTS + EMBEDDED), i * EMBEDDED)
  }
  return out
}
