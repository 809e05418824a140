/** Rows that a lookup left on the GPU. */
import type { NativeDeviceRows } from './addon.ts'
import { newFloats } from './checks.ts'
import { closedError, rejecting } from './errors.ts'

/**
 * A lookup's output in the GPU's memory; made by `table.lookupOnDevice`. Nobody writes to it any
 * more, and it outlives table and store. Opaque here; a program in C++ gets its address
 * (`hotrow/device_rows.h`).
 */
export class DeviceRows {
  readonly rows: number
  /** Values per row. */
  readonly dim: number
  #native: NativeDeviceRows | undefined

  /** @internal */
  constructor(dim: number, native: NativeDeviceRows) {
    this.rows = native.rows()
    this.dim = dim
    this.#native = native
  }

  /**
   * Copies the rows to the host's memory.
   *
   * @param out - [rows * dim], filled and returned; a new array when left out
   */
  copyTo(out?: Float32Array): Promise<Float32Array> {
    const native = this.#native
    if (native === undefined) return Promise.reject(closedError('the handle of rows on the GPU'))
    return rejecting(() =>
      native.copyTo(out === undefined ? newFloats(this.rows, this.dim) : out, out === undefined),
    )
  }

  /** Frees the memory, after the copies under way. Else the garbage collector does, some day. */
  release(): void {
    this.#native?.release()
    this.#native = undefined
  }

  /** As `release`: `using rows = await table.lookupOnDevice(keys)` frees them with the block. */
  [Symbol.dispose](): void {
    this.release()
  }
}
