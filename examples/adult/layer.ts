// A fully connected layer whose weights are a dense parameter of the store.
//
// Matrices are row-major, a row per example. The last row of the weights is the bias.

import { type Dense, normal, type Store } from 'hotrow'
import { LAYER_OPTIMIZER } from './settings.ts'

export interface LayerShape {
  readonly inputs: number
  readonly outputs: number
  /** Whether outputs below 0 become 0. */
  readonly rectified: boolean
}

export class Layer {
  readonly #shape: LayerShape
  readonly #parameter: Dense
  readonly #weights: Float32Array
  readonly #gradient: Float32Array
  // Of the last forward pass.
  #input: Float32Array = new Float32Array(0)
  #output: Float32Array = new Float32Array(0)

  private constructor(shape: LayerShape, parameter: Dense) {
    this.#shape = shape
    this.#parameter = parameter
    this.#weights = new Float32Array((shape.inputs + 1) * shape.outputs)
    this.#gradient = new Float32Array(this.#weights.length)
  }

  static async create(store: Store, name: string, shape: LayerShape, seed: number): Promise<Layer> {
    const parameter = await store.dense(name, {
      shape: [shape.inputs + 1, shape.outputs],
      // Keeps the variance through rectified layers (He et al. 2015).
      initializer: normal(Math.sqrt(2 / shape.inputs)),
      optimizer: LAYER_OPTIMIZER,
      seed,
    })
    return new Layer(shape, parameter)
  }

  /** Takes the weights as they are in the store. */
  async pull(): Promise<void> {
    await this.#parameter.pull({ out: this.#weights })
  }

  /** Hands the gradient of the last backward pass to the optimizer. */
  push(): Promise<void> {
    return this.#parameter.push(this.#gradient)
  }

  /** [rows, inputs] to [rows, outputs]. `input` must stay as it is until `backward`. */
  forward(input: Float32Array): Float32Array {
    const { inputs, outputs, rectified } = this.#shape
    const weights = this.#weights
    const output = new Float32Array((input.length / inputs) * outputs)
    for (let x = 0, y = 0; y < output.length; x += inputs, y += outputs) {
      for (let j = 0; j < outputs; j++) output[y + j] = weights[inputs * outputs + j]!
      for (let i = 0; i < inputs; i++) {
        const value = input[x + i]!
        if (value === 0) continue
        const w = i * outputs
        for (let j = 0; j < outputs; j++) output[y + j] = output[y + j]! + value * weights[w + j]!
      }
      if (!rectified) continue
      for (let j = 0; j < outputs; j++) output[y + j] = Math.max(0, output[y + j]!)
    }
    this.#input = input
    this.#output = output
    return output
  }

  /** The loss by the outputs [rows, outputs], which it changes, to the loss by the inputs. */
  backward(slopes: Float32Array): Float32Array {
    const { inputs, outputs, rectified } = this.#shape
    const weights = this.#weights
    const gradient = this.#gradient.fill(0)
    const input = this.#input
    const inputSlopes = new Float32Array(input.length)
    for (let x = 0, y = 0; y < slopes.length; x += inputs, y += outputs) {
      for (let j = 0; j < outputs; j++) {
        if (rectified && this.#output[y + j] === 0) slopes[y + j] = 0
        const bias = inputs * outputs + j
        gradient[bias] = gradient[bias]! + slopes[y + j]!
      }
      for (let i = 0; i < inputs; i++) {
        const value = input[x + i]!
        const w = i * outputs
        let sum = 0
        for (let j = 0; j < outputs; j++) {
          const slope = slopes[y + j]!
          sum += slope * weights[w + j]!
          gradient[w + j] = gradient[w + j]! + slope * value
        }
        inputSlopes[x + i] = sum
      }
    }
    return inputSlopes
  }
}
