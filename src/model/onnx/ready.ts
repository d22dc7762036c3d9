import { dirname, join, normalize, sep } from 'node:path';
import { StromaflowError } from '../../errors.js';
import { type LastStep, lastStep, type Step, scalesItself } from './ends.js';
import { type FieldSpan, ProtobufFile } from './spans.js';

/** Fields of the ONNX messages that matter here (onnx/onnx.proto). */
export const MODEL = { opset: 8, graph: 7 } as const;
export const GRAPH = { node: 1, initializer: 5, input: 11, output: 12 } as const;
const NODE = { input: 1, output: 2, op: 4 } as const;
export const TENSOR = { name: 8, rawData: 9, externalData: 13, dataLocation: 14 } as const;

/** A ready .onnx file, as far as it has to be understood to be fed and read. */
export interface ReadyOnnx {
  /** Absolute path. */
  readonly path: string;
  /** Version of ONNX's own operator set. */
  readonly opset: number;
  readonly input: TensorPort;
  readonly output: TensorPort;
  /** Patches a run takes; null: any number. */
  readonly fixedBatch: number | null;
  /** Side of the patches; null: any. */
  readonly fixedSide: number | null;
  /** Channels of the output; null when the file does not say. */
  readonly outputs: number | null;
  /** What the graph makes of the logits before it gives them out. */
  readonly activation: Exclude<LastStep, 'decision'>;
  /** The graph scales or shifts the image itself before anything else. */
  readonly scalesItself: boolean;
  /** Files beside this one that hold weights. */
  readonly external: readonly string[];
}

export interface TensorPort {
  readonly name: string;
  /** Sizes; null where any is taken. */
  readonly shape: readonly (number | null)[];
}

const FLOAT = 1;

/**
 * Reads what goes in and comes out of an ONNX file: one float32 image batch [N, 3, H, W] in, one float32 map
 * [N, classes, H, W] out. Throws MODEL_INVALID when it is damaged, MODEL_UNSUPPORTED, by name, when it is something else.
 */
export async function readOnnx(path: string): Promise<ReadyOnnx> {
  const file = await ProtobufFile.open(path);
  try {
    const unsupported = (what: string, fix?: string) =>
      new StromaflowError('MODEL_UNSUPPORTED', `${path}: ${what}`, fix === undefined ? {} : { fix });
    const parts = await readParts(file);
    const { opset, inputs, outputs, makers, initializers } = parts;
    if (opset < 11) throw unsupported(`operator set ${opset} is too old`, 'export again with opset_version=17');

    // Old files list their weights among the inputs.
    const images = inputs.filter(({ name }) => !initializers.has(name));
    if (images.length !== 1)
      throw unsupported(`it has ${images.length} inputs (${images.map(({ name }) => name).join(', ')})`);
    const input = images[0]!;
    const maps = outputs.filter(({ shape }) => shape.length === 4);
    if (maps.length !== 1)
      throw unsupported(
        `${maps.length} of its ${outputs.length} outputs are maps [N, classes, H, W]`,
        'export it with one map',
      );
    const output = maps[0]!;
    for (const port of [input, output])
      if (port.type !== FLOAT) throw unsupported(`${port.name} is not float32`, 'export the float32 model');
    const [batch, channels, height, width] = input.shape;
    const channelsFirst = channels === 3 || (channels === null && width !== 3);
    if (input.shape.length !== 4 || !channelsFirst)
      throw unsupported(`${input.name} is [${shapeText(input.shape)}], not [N, 3, H, W]`);
    if (height !== width && height !== null && width !== null)
      throw unsupported(`${input.name} takes ${width} × ${height} pixels; patches are square`);
    const activation = lastStep(makers, output.name);
    if (activation === 'decision')
      throw unsupported(
        `${output.name} is what was decided (a class a pixel), not scores`,
        'export the scores before it',
      );
    return {
      path,
      opset,
      input: { name: input.name, shape: input.shape },
      output: { name: output.name, shape: output.shape },
      fixedBatch: batch ?? null,
      fixedSide: height ?? width ?? null,
      outputs: output.shape[1] ?? null,
      activation,
      scalesItself: scalesItself(makers, input.name),
      external: parts.external,
    };
  } finally {
    await file.close();
  }
}

interface TypedPort extends TensorPort {
  readonly type: number;
}

interface Parts {
  opset: number;
  readonly inputs: TypedPort[];
  readonly outputs: TypedPort[];
  /** What makes a tensor, by the tensor's name, in the order of the graph. */
  readonly makers: Map<string, Step>;
  readonly initializers: Set<string>;
  external: string[];
}

async function readParts(file: ProtobufFile): Promise<Parts> {
  const parts: Parts = { opset: 0, inputs: [], outputs: [], makers: new Map(), initializers: new Set(), external: [] };
  let graphs = 0;
  for await (const span of file.fields()) {
    if (span.field === MODEL.opset) await readOpset(file, span, parts);
    if (span.field !== MODEL.graph) continue;
    graphs++;
    for await (const inner of file.fields(span.contentStart, span.end)) await readGraphField(file, inner, parts);
  }
  if (graphs !== 1 || parts.opset === 0)
    throw new StromaflowError('MODEL_INVALID', `${file.path}: not an ONNX model (no graph or no operator set)`);
  return parts;
}

async function readOpset(file: ProtobufFile, span: FieldSpan, parts: Parts): Promise<void> {
  let domain = '';
  let version = 0;
  for await (const field of file.fields(span.contentStart, span.end)) {
    if (field.field === 1) domain = await file.text(field);
    if (field.field === 2) version = await file.number(field);
  }
  if (domain === '' || domain === 'ai.onnx') parts.opset = version;
}

async function readGraphField(file: ProtobufFile, span: FieldSpan, parts: Parts): Promise<void> {
  if (span.field === GRAPH.input) parts.inputs.push(await readPort(file, span));
  if (span.field === GRAPH.output) parts.outputs.push(await readPort(file, span));
  if (span.field === GRAPH.node) {
    let op = '';
    const inputs: string[] = [];
    const made: string[] = [];
    for await (const field of file.fields(span.contentStart, span.end)) {
      if (field.field === NODE.input) inputs.push(await file.text(field));
      if (field.field === NODE.output) made.push(await file.text(field));
      if (field.field === NODE.op) op = await file.text(field);
    }
    for (const name of made) parts.makers.set(name, { op, inputs });
  }
  if (span.field === GRAPH.initializer) {
    const tensor = await readTensorHead(file, span);
    parts.initializers.add(tensor.name);
    if (tensor.external && !parts.external.includes(tensor.external.path)) parts.external.push(tensor.external.path);
  }
}

/** ValueInfoProto: name 1, type 2 → tensor_type 1 → elem_type 1, shape 2 → dim 1 → dim_value 1. */
async function readPort(file: ProtobufFile, span: FieldSpan): Promise<TypedPort> {
  let name = '';
  let type = 0;
  const shape: (number | null)[] = [];
  for await (const info of file.fields(span.contentStart, span.end)) {
    if (info.field === 1) name = await file.text(info);
    if (info.field !== 2) continue;
    for await (const kind of file.fields(info.contentStart, info.end)) {
      if (kind.field !== 1) continue;
      for await (const tensor of file.fields(kind.contentStart, kind.end)) {
        if (tensor.field === 1) type = await file.number(tensor);
        if (tensor.field === 2) shape.push(...(await readShape(file, tensor)));
      }
    }
  }
  return { name, type, shape };
}

async function readShape(file: ProtobufFile, span: FieldSpan): Promise<(number | null)[]> {
  const shape: (number | null)[] = [];
  for await (const dimension of file.fields(span.contentStart, span.end)) {
    let size: number | null = null;
    for await (const field of file.fields(dimension.contentStart, dimension.end))
      if (field.field === 1) size = await file.number(field);
    // Zero and below stand for "any" in files of some exporters.
    shape.push(size !== null && size > 0 ? size : null);
  }
  return shape;
}

export interface TensorHead {
  readonly name: string;
  /** Where the bytes are when they are not in the file: path, position, length (null: to the end). */
  readonly external: { readonly path: string; readonly offset: number; readonly length: number | null } | null;
}

/** A TensorProto's name and where its data is. External paths may not leave the model's folder. */
export async function readTensorHead(file: ProtobufFile, span: FieldSpan): Promise<TensorHead> {
  let name = '';
  let outside = false;
  const entries = new Map<string, string>();
  for await (const field of file.fields(span.contentStart, span.end)) {
    if (field.field === TENSOR.name) name = await file.text(field);
    if (field.field === TENSOR.dataLocation) outside = (await file.number(field)) === 1;
    if (field.field !== TENSOR.externalData) continue;
    let key = '';
    for await (const entry of file.fields(field.contentStart, field.end)) {
      if (entry.field === 1) key = await file.text(entry);
      if (entry.field === 2) entries.set(key, await file.text(entry));
    }
  }
  if (!outside) return { name, external: null };
  const location = normalize(entries.get('location') ?? '');
  if (location === '.' || location.startsWith('..') || location.startsWith(sep) || location.includes('\0'))
    throw new StromaflowError(
      'MODEL_INVALID',
      `${file.path}: tensor ${name} keeps its data outside the folder (${location})`,
    );
  const length = entries.get('length');
  return {
    name,
    external: {
      path: join(dirname(file.path), location),
      offset: Number(entries.get('offset') ?? 0),
      length: length === undefined ? null : Number(length),
    },
  };
}

const shapeText = (shape: readonly (number | null)[]) => shape.map(size => size ?? '?').join(', ');
