/** An ONNX model as data, and its protobuf encoding (onnx/onnx.proto, IR version 8); weights are produced on demand. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

export type ElementType = 'float' | 'float16' | 'uint8' | 'int8' | 'int32' | 'int64';
export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Operator set the node comes from; ONNX's own unless given. */
  readonly domain?: string;
}

export interface OnnxTensorInfo {
  readonly name: string;
  readonly type: ElementType;
  /** Sizes, or names of sizes known when the model runs. */
  readonly shape: readonly (number | string)[];
}

/** A constant. `load` is called once, while the file is written, and its result dropped right after. */
export interface Initializer {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly load: () => Promise<ArrayBufferView> | ArrayBufferView;
}

export interface OnnxModel {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxTensorInfo[];
  readonly outputs: readonly OnnxTensorInfo[];
  readonly initializers: readonly Initializer[];
}

export const OPSET = 18;
const IR_VERSION = 8;
/** Codes of TensorProto.DataType, and sizes. */
export const ELEMENTS = {
  float: { code: 1, bytes: 4 },
  uint8: { code: 2, bytes: 1 },
  int8: { code: 3, bytes: 1 },
  float16: { code: 10, bytes: 2 },
  int32: { code: 6, bytes: 4 },
  int64: { code: 7, bytes: 8 },
} as const satisfies Record<ElementType, { code: number; bytes: number }>;

/**
 * The encoded model, piece by piece. Protobuf states a message's length before it, so all lengths are computed from
 * the shapes first, and one tensor at a time is in memory.
 */
export async function* encodeModel(model: OnnxModel): AsyncGenerator<Uint8Array> {
  const head = new BinaryWriter();
  head.raw(encodeNodes(model.nodes));
  head.tag(2, WireType.LengthDelimited).string(model.name);
  head.raw(encodePorts(model.inputs, model.outputs));
  const graphHead = head.finish();
  const constants = encodeConstants(model.initializers);

  const file = new BinaryWriter();
  file.tag(1, WireType.Varint).int64(IR_VERSION);
  file.tag(2, WireType.LengthDelimited).string('stromaflow');
  const opset = message(file, 8);
  opset.tag(1, WireType.LengthDelimited).string('').tag(2, WireType.Varint).int64(OPSET).join();
  yield file.finish();
  yield graphTag(graphHead.length + constants.bytes);
  yield graphHead;
  yield* constants.pieces();
}

/** Tag and length of a model's graph field. */
export function graphTag(bytes: number): Uint8Array {
  return new BinaryWriter().tag(7, WireType.LengthDelimited).uint32(bytes).finish();
}

export function encodeNodes(nodes: readonly OnnxNode[]): Uint8Array {
  const graph = new BinaryWriter();
  for (const node of nodes) writeNode(message(graph, 1), node).join();
  return graph.finish();
}

export function encodePorts(inputs: readonly OnnxTensorInfo[], outputs: readonly OnnxTensorInfo[]): Uint8Array {
  const graph = new BinaryWriter();
  for (const input of inputs) writeTensorInfo(message(graph, 11), input).join();
  for (const output of outputs) writeTensorInfo(message(graph, 12), output).join();
  return graph.finish();
}

/** A piece of a file whose length is known before its bytes are. */
export interface Encoded {
  readonly bytes: number;
  pieces(): AsyncGenerator<Uint8Array>;
}

export function encodeConstants(initializers: readonly Initializer[]): Encoded {
  const tensors = initializers.map(initializer => ({ initializer, ...tensorHead(initializer) }));
  return {
    bytes: tensors.reduce((sum, { head, bytes }) => sum + head.length + bytes, 0),
    async *pieces() {
      for (const { initializer, head, bytes } of tensors) {
        const { name, load } = initializer;
        const data = await load();
        if (data.byteLength !== bytes) throw new RangeError(`${name}: ${data.byteLength} bytes, not ${bytes}`);
        yield head;
        yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      }
    },
  };
}

/** Everything of a graph's initializer field up to the raw data, and the raw data's length. */
function tensorHead({ name, type, shape }: Initializer): { head: Uint8Array; bytes: number } {
  const bytes = shape.reduce((product, size) => product * size, ELEMENTS[type].bytes);
  const tensor = new BinaryWriter();
  for (const size of shape) tensor.tag(1, WireType.Varint).int64(size);
  tensor.tag(2, WireType.Varint).int32(ELEMENTS[type].code);
  tensor.tag(8, WireType.LengthDelimited).string(name);
  tensor.tag(9, WireType.LengthDelimited).uint32(bytes);
  const fields = tensor.finish();
  const head = new BinaryWriter().tag(5, WireType.LengthDelimited).uint32(fields.length + bytes);
  return { head: head.raw(fields).finish(), bytes };
}

function writeNode(writer: BinaryWriter, node: OnnxNode): BinaryWriter {
  for (const input of node.inputs) writer.tag(1, WireType.LengthDelimited).string(input);
  for (const output of node.outputs) writer.tag(2, WireType.LengthDelimited).string(output);
  writer.tag(3, WireType.LengthDelimited).string(`${node.op}_${node.outputs[0]}`);
  writer.tag(4, WireType.LengthDelimited).string(node.op);
  for (const [name, value] of Object.entries(node.attributes)) writeAttribute(message(writer, 5), name, value).join();
  if (node.domain) writer.tag(7, WireType.LengthDelimited).string(node.domain);
  return writer;
}

function writeAttribute(writer: BinaryWriter, name: string, value: Attribute): BinaryWriter {
  writer.tag(1, WireType.LengthDelimited).string(name);
  const type = (code: number) => writer.tag(20, WireType.Varint).int32(code);
  if (typeof value === 'number') {
    writer.tag(3, WireType.Varint).int64(value);
    return type(2);
  }
  if (typeof value === 'string') {
    writer.tag(4, WireType.LengthDelimited).string(value);
    return type(3);
  }
  if ('float' in value) {
    writer.tag(2, WireType.Bit32).float(value.float);
    return type(1);
  }
  for (const item of value) writer.tag(8, WireType.Varint).int64(item);
  return type(7);
}

function writeTensorInfo(writer: BinaryWriter, { name, type, shape }: OnnxTensorInfo): BinaryWriter {
  writer.tag(1, WireType.LengthDelimited).string(name);
  const tensorType = message(message(writer, 2), 1);
  tensorType.tag(1, WireType.Varint).int32(ELEMENTS[type].code);
  const dimensions = message(tensorType, 2);
  for (const size of shape) {
    const dimension = message(dimensions, 1);
    if (typeof size === 'number') dimension.tag(1, WireType.Varint).int64(size);
    else dimension.tag(2, WireType.LengthDelimited).string(size);
    dimension.join();
  }
  // Closes the shape, the tensor type and the type.
  dimensions.join().join().join();
  return writer;
}

/** Opens an embedded message in the same writer; `join` closes it. */
function message(writer: BinaryWriter, field: number): BinaryWriter {
  return writer.tag(field, WireType.LengthDelimited).fork();
}
