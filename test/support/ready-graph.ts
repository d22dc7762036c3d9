import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeModel } from '#src/model/onnx/model.js';
import { OnnxWriter } from '#src/model/onnx/writer.js';

export interface ReadyGraph {
  /** Of RGB from 0 to 1, [N, 3, H, W], makes the map of this name. */
  readonly build: (out: OnnxWriter, input: string, output: string) => void;
  /** Channels of the map; 'C': its file does not say. */
  readonly classes?: number | 'C';
  /** Side of the map; 'H': its file does not say. */
  readonly side?: number | 'H';
  readonly batch?: number | 'N';
  readonly manifest?: Readonly<Record<string, unknown>>;
}

/** A bundle folder with a ready graph, as a lab's exporter would have written it; pixels come to it as byte / 255. */
export async function makeReadyBundle(folder: string, graph: ReadyGraph): Promise<string> {
  const { build, classes = 1, side = 'H', batch = 'N', manifest = {} } = graph;
  const out = new OnnxWriter();
  build(out, 'rgb', 'map');
  const { nodes, initializers } = out;
  const inputs = [
    { name: 'rgb', type: 'float', shape: [batch, 3, side === 'H' ? 'H' : 64, side === 'H' ? 'W' : 64] },
  ] as const;
  const outputs = [{ name: 'map', type: 'float', shape: [batch, classes, side, side === 'H' ? 'W' : side] }] as const;
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeModel({ name: 'ready', nodes, initializers, inputs, outputs })) pieces.push(piece);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'model.onnx'), Buffer.concat(pieces));
  const stated = { patchSize: 64, input: { range: [0, 1], mean: [0, 0, 0], std: [1, 1, 1] }, ...manifest };
  await writeFile(join(folder, 'stromaflow.json'), JSON.stringify(stated));
  return folder;
}

/** Red + green + blue, [N, 1, H, W]. */
const brightness = (out: OnnxWriter, input: string) =>
  out.node('ReduceSum', [input, out.integers('channel', [1])], { keepdims: 1 });

/** log(brightness − 0.5): NaN where a pixel is dark. */
export function logOfBrightness(out: OnnxWriter, input: string, output: string): void {
  out.node('Log', [out.node('Sub', [brightness(out, input), out.floats('dark', [0.5], [])])], {}, output);
}

/** 1 / brightness: infinite where a pixel is black. */
export function reciprocalOfBrightness(out: OnnxWriter, input: string, output: string): void {
  out.node('Div', [out.floats('one', [1], []), brightness(out, input)], {}, output);
}
