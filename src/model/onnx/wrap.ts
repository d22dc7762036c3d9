import { open } from 'node:fs/promises';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { StromaflowError } from '../../errors.js';
import type { Decision } from '../decision.js';
import type { InputNormalisation } from '../manifest.js';
import { viewsOf } from '../views.js';
import { standardOutputs } from './emit.js';
import { type Encoded, encodeConstants, encodeNodes, encodePorts, graphTag } from './model.js';
import { GRAPH, MODEL, type ReadyOnnx, readTensorHead, TENSOR, type TensorHead } from './ready.js';
import { type FieldSpan, ProtobufFile } from './spans.js';
import { decide, type Extras, PORTS, preprocess } from './surround.js';
import { OnnxWriter } from './writer.js';

export interface WrapOptions extends Extras {
  readonly input: InputNormalisation;
  readonly decision: Decision;
  readonly classes: number;
}

/**
 * A ready model with our input and output put around its graph: its own nodes and weights are copied byte by byte, its
 * image input and map output become inner tensors. Weights kept in other files are taken in.
 */
export async function* wrapModel(ready: ReadyOnnx, options: WrapOptions): AsyncGenerator<Uint8Array> {
  const file = await ProtobufFile.open(ready.path);
  try {
    const before = new OnnxWriter({ opset: ready.opset, prefix: 'stromaflow/' });
    preprocess(before, options.input, ready.input.name, options.tta);
    const behind = new OnnxWriter({ opset: ready.opset, prefix: 'stromaflow/behind/' });
    decide(behind, ready.output.name, options.classes, options.decision, options);

    const patches = ready.fixedBatch === null ? 'N' : ready.fixedBatch / viewsOf(options.tta).length;
    const [batch, side] = [patches, ready.fixedSide ?? 'H'] as const;
    const inputs = [
      { name: PORTS.patches, type: 'uint8', shape: [batch, side, side === 'H' ? 'W' : side, 3] },
    ] as const;
    const head = encodeNodes(before.nodes);
    const tail = new BinaryWriter()
      .raw(encodeNodes(behind.nodes))
      .raw(encodePorts(inputs, standardOutputs(batch, side, options.classes, options)))
      .finish();
    const constants = encodeConstants([...before.initializers, ...behind.initializers]);

    const inner: Encoded[] = [];
    for await (const span of file.fields()) {
      if (span.field !== MODEL.graph) yield await file.read(span.start, span.end);
      else
        for await (const field of file.fields(span.contentStart, span.end))
          inner.push(...(await kept(file, field, ready)));
    }
    const innerBytes = inner.reduce((sum, { bytes }) => sum + bytes, 0);
    yield graphTag(head.length + innerBytes + tail.length + constants.bytes);
    yield head;
    for (const piece of inner) yield* piece.pieces();
    yield tail;
    yield* constants.pieces();
  } finally {
    await file.close();
  }
}

/** What becomes of a field of the ready graph: dropped, copied, or its data brought in. */
async function kept(file: ProtobufFile, span: FieldSpan, ready: ReadyOnnx): Promise<Encoded[]> {
  if (span.field === GRAPH.output) return [];
  if (span.field === GRAPH.input && (await portName(file, span)) === ready.input.name) return [];
  if (span.field === GRAPH.initializer) {
    const tensor = await readTensorHead(file, span);
    if (tensor.external) return [await broughtIn(file, span, tensor.external)];
  }
  return [copied(file, span)];
}

function copied(file: ProtobufFile, { start, end }: FieldSpan): Encoded {
  return {
    bytes: end - start,
    async *pieces() {
      yield await file.read(start, end);
    },
  };
}

async function broughtIn(
  file: ProtobufFile,
  span: FieldSpan,
  { path, offset, length }: NonNullable<TensorHead['external']>,
): Promise<Encoded> {
  const fields = new BinaryWriter();
  for await (const field of file.fields(span.contentStart, span.end))
    if (field.field !== TENSOR.externalData && field.field !== TENSOR.dataLocation)
      fields.raw(await file.read(field.start, field.end));
  const source = await open(path).catch(cause => {
    throw new StromaflowError('MODEL_NOT_FOUND', `${path}, which holds weights of ${file.path}, cannot be opened`, {
      cause,
    });
  });
  const size = (await source.stat()).size;
  await source.close();
  const bytes = length ?? size - offset;
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(bytes);
  if (!(whole && offset >= 0 && bytes >= 0 && offset + bytes <= size))
    throw new StromaflowError('MODEL_INVALID', `${path} ends before the weights that ${file.path} looks for in it`);
  const kept = fields.tag(TENSOR.rawData, WireType.LengthDelimited).uint32(bytes).finish();
  const head = new BinaryWriter()
    .tag(GRAPH.initializer, WireType.LengthDelimited)
    .uint32(kept.length + bytes)
    .raw(kept)
    .finish();
  return {
    bytes: head.length + bytes,
    async *pieces() {
      yield head;
      const data = await open(path);
      try {
        const buffer = new Uint8Array(bytes);
        await data.read(buffer, 0, bytes, offset);
        yield buffer;
      } finally {
        await data.close();
      }
    },
  };
}

async function portName(file: ProtobufFile, span: FieldSpan): Promise<string> {
  for await (const field of file.fields(span.contentStart, span.end)) if (field.field === 1) return file.text(field);
  return '';
}
