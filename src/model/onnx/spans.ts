import { type FileHandle, open } from 'node:fs/promises';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { StromaflowError } from '../../errors.js';

/** A protobuf field as it lies in a file: from its tag to its last byte, and its content without tag and length. */
export interface FieldSpan {
  readonly field: number;
  readonly wireType: WireType;
  /** Absolute positions. */
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

const WINDOW = 1 << 16;
/** A tag and a length, each a varint of at most 10 bytes. */
const LONGEST_HEAD = 20;

/** Walks a protobuf file's fields without reading what they contain, so that 100 MB of weights stay on disk. */
export class ProtobufFile {
  readonly path: string;
  readonly size: number;
  readonly #file: FileHandle;
  #window = new Uint8Array();
  #windowStart = 0;

  private constructor(path: string, file: FileHandle, size: number) {
    this.path = path;
    this.#file = file;
    this.size = size;
  }

  static async open(path: string): Promise<ProtobufFile> {
    const file = await open(path, 'r').catch(cause => {
      throw new StromaflowError('MODEL_NOT_FOUND', `${path} cannot be opened`, { cause });
    });
    return new ProtobufFile(path, file, (await file.stat()).size);
  }

  /** Fields of the message between two positions, in order. Throws MODEL_INVALID when they do not fill it exactly. */
  async *fields(start = 0, end = this.size): AsyncGenerator<FieldSpan> {
    for (let position = start; position < end; ) {
      const span = await this.#fieldAt(position, end);
      yield span;
      position = span.end;
    }
  }

  /** Bytes of a field's content, or of any range. */
  async read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(end - start);
    const { bytesRead } = await this.#file.read(bytes, 0, bytes.length, start);
    if (bytesRead !== bytes.length) throw this.#invalid(start);
    return bytes;
  }

  content(span: FieldSpan): Promise<Uint8Array<ArrayBuffer>> {
    return this.read(span.contentStart, span.end);
  }

  async text(span: FieldSpan): Promise<string> {
    return new TextDecoder().decode(await this.content(span));
  }

  async number(span: FieldSpan): Promise<number> {
    return Number(new BinaryReader(await this.content(span)).int64());
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #fieldAt(position: number, end: number): Promise<FieldSpan> {
    const head = await this.#peek(position);
    const reader = new BinaryReader(head);
    try {
      const [field, wireType] = reader.tag();
      let contentStart = position + reader.pos;
      let contentEnd: number;
      if (wireType === WireType.LengthDelimited) {
        const length = reader.uint32();
        contentStart = position + reader.pos;
        contentEnd = contentStart + length;
      } else {
        reader.skip(wireType, field);
        contentEnd = position + reader.pos;
      }
      if (contentEnd > end) throw this.#invalid(position);
      return { field, wireType, start: position, contentStart, end: contentEnd };
    } catch (cause) {
      throw cause instanceof StromaflowError ? cause : this.#invalid(position, cause);
    }
  }

  /** At least the head of the field at this position, if the file has as much. */
  async #peek(position: number): Promise<Uint8Array> {
    const offset = position - this.#windowStart;
    const wanted = Math.min(LONGEST_HEAD, this.size - position);
    if (offset < 0 || offset + wanted > this.#window.length) {
      this.#window = await this.read(position, Math.min(this.size, position + WINDOW));
      this.#windowStart = position;
      return this.#window;
    }
    return this.#window.subarray(offset);
  }

  #invalid(position: number, cause?: unknown): StromaflowError {
    return new StromaflowError('MODEL_INVALID', `${this.path}: not a sound ONNX file at byte ${position}`, { cause });
  }
}
