import { open } from 'node:fs/promises';
import { floatToHalf } from './float16.js';

/** A tensor to store: values in C order, as many as the shape's product. */
export interface TensorToWrite {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A whole number, stored as int64 whatever the tensors are: batch norms count their batches so. */
export interface CounterToWrite {
  readonly name: string;
  readonly count: number;
}

/**
 * Writes a safetensors file, tensor by tensor, so that the weights are never held twice.
 * `dtype` F16 narrows with round to nearest even. Metadata are strings, as the format demands.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorToWrite[],
  dtype: 'F32' | 'F16' = 'F32',
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
  counters: readonly CounterToWrite[] = [],
): Promise<void> {
  const size = dtype === 'F32' ? 4 : 2;
  const header: Record<string, unknown> = { __metadata__: metadata };
  // Larger elements first, so that every one lies at a multiple of its size.
  let end = 0;
  for (const { name } of counters) {
    header[name] = { dtype: 'I64', shape: [], data_offsets: [end, end + 8] };
    end += 8;
  }
  for (const { name, shape, values } of tensors) {
    const count = shape.reduce((product, length) => product * length, 1);
    if (count !== values.length) throw new RangeError(`${name}: ${values.length} values for [${shape.join(', ')}]`);
    if (name in header) throw new RangeError(`${name} is given twice`);
    header[name] = { dtype, shape, data_offsets: [end, end + count * size] };
    end += count * size;
  }
  // The format asks for the tensors to start at a multiple of 8; spaces are its padding.
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20);
  padded.set(json);
  const prefix = new DataView(new ArrayBuffer(8));
  prefix.setBigUint64(0, BigInt(padded.length), true);

  const file = await open(path, 'w');
  try {
    await file.writeFile(new Uint8Array(prefix.buffer));
    await file.writeFile(padded);
    await file.writeFile(new Uint8Array(BigInt64Array.from(counters, ({ count }) => BigInt(count)).buffer));
    for (const { values } of tensors) {
      const stored = dtype === 'F32' ? values : floatToHalf(values);
      await file.writeFile(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
    }
  } finally {
    await file.close();
  }
}
