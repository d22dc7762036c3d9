import { readSync } from 'node:fs';
import { StromaflowError } from '../../errors.js';

/** Bytes at a position, as many as there are: a file, or a buffer with what was inflated. */
export interface ByteSource {
  readonly path: string;
  readonly size: number;
  /** Fills `into` from `position` on; returns how many bytes there were. */
  read(into: Uint8Array, position: number): number;
}

export function fileBytes(path: string, fd: number, size: number): ByteSource {
  return {
    path,
    size,
    read: (into, position) => {
      let done = 0;
      while (done < into.length) {
        const got = readSync(fd, into, done, into.length - done, position + done);
        if (got === 0) break;
        done += got;
      }
      return done;
    },
  };
}

export function bufferBytes(path: string, buffer: Uint8Array): ByteSource {
  return {
    path,
    size: buffer.length,
    read: (into, position) => {
      const part = buffer.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
  };
}

const CHUNK = 64 * 1024;

/** Reads forwards in little-endian order through a window of 64 KiB; a skip costs nothing. */
export class ByteReader {
  readonly source: ByteSource;
  position: number;
  readonly #window = Buffer.alloc(CHUNK);
  #start = 0;
  #length = 0;

  constructor(source: ByteSource, position: number) {
    this.source = source;
    this.position = position;
  }

  get left(): number {
    return this.source.size - this.position;
  }

  uint16(): number {
    return this.#view(2).readUInt16LE();
  }

  uint32(): number {
    return this.#view(4).readUInt32LE();
  }

  /** @throws SLIDE_TRUNCATED before anything is allocated when the bytes are not there. */
  bytes(length: number): Buffer {
    if (length > this.left) throw this.truncated();
    if (length <= CHUNK) return Buffer.from(this.#view(length));
    const bytes = Buffer.alloc(length);
    if (this.source.read(bytes, this.position) < length) throw this.truncated();
    this.position += length;
    return bytes;
  }

  skip(length: number): void {
    if (length > this.left) throw this.truncated();
    this.position += length;
  }

  truncated(): StromaflowError {
    return new StromaflowError(
      'SLIDE_TRUNCATED',
      `${this.source.path}: ends at byte ${this.source.size}, inside its data set`,
    );
  }

  /** A view of the next bytes, valid until the next call. */
  #view(length: number): Buffer {
    if (length > this.left) throw this.truncated();
    if (this.position < this.#start || this.position + length > this.#start + this.#length) {
      this.#start = this.position;
      this.#length = this.source.read(this.#window, this.position);
      if (this.#length < length) throw this.truncated();
    }
    const at = this.position - this.#start;
    this.position += length;
    return this.#window.subarray(at, at + length);
  }
}
