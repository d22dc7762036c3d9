const ARRAYS = [
  'ArrayBuffer',
  'SharedArrayBuffer',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int8Array',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
];

let asked = 0;

/** Bytes of binary memory asked for since the last call, whether they were touched, collected or refused. */
export function takeAsked() {
  const bytes = asked;
  asked = 0;
  return bytes;
}

/** From here on every array and buffer that this process makes from a number or a list is counted. */
export function startMeter() {
  for (const name of ARRAYS) {
    const Original = globalThis[name];
    const width = Original.BYTES_PER_ELEMENT ?? 1;
    globalThis[name] = new Proxy(Original, {
      construct(target, args, newTarget) {
        const [first] = args;
        const length =
          typeof first === 'number' ? first : ArrayBuffer.isView(first) || Array.isArray(first) ? first.length : 0;
        if (length > 0) asked += length * width;
        return Reflect.construct(target, args, newTarget);
      },
    });
  }
  for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow']) {
    const original = Buffer[name];
    Buffer[name] = (size, ...rest) => {
      if (size > 0) asked += size;
      return original.call(Buffer, size, ...rest);
    };
  }
}
