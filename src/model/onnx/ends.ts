/** One step of a ready graph. */
export interface Step {
  readonly op: string;
  readonly inputs: readonly string[];
}

/** Steps that hand on what they are given: other types, shapes, ranges and bytes, the same numbers. */
const HANDS_ON: ReadonlySet<string> = new Set([
  'Cast',
  'Clip',
  'DequantizeLinear',
  'Dropout',
  'Flatten',
  'Identity',
  'QuantizeLinear',
  'Reshape',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);

/** Steps that leave a class a pixel, or yes and no, of what were scores. */
const DECIDES: ReadonlySet<string> = new Set(['ArgMax', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Where']);

const SCALES: ReadonlySet<string> = new Set(['Add', 'Div', 'Mul', 'Sub']);

/** What the last step that changes numbers makes of the scores; 'decision' where they are scores no more. */
export type LastStep = 'sigmoid' | 'softmax' | 'decision' | null;

/**
 * Looks back from a tensor through what hands on. Exporters and quantisers put such steps behind an activation: types that are kept
 * as they were (onnxconverter-common), pairs that quantise (onnxruntime).
 *
 * @param makers step that makes a tensor, by the tensor's name.
 */
export function lastStep(makers: ReadonlyMap<string, Step>, output: string): LastStep {
  const seen = new Set<string>();
  for (let name = output; !seen.has(name); ) {
    seen.add(name);
    const step = makers.get(name);
    if (step === undefined) return null;
    if (step.op === 'Sigmoid' || step.op === 'HardSigmoid') return 'sigmoid';
    if (step.op === 'Softmax') return 'softmax';
    if (DECIDES.has(step.op)) return 'decision';
    const before = step.inputs[0];
    if (!HANDS_ON.has(step.op) || before === undefined) return null;
    name = before;
  }
  return null;
}

/** True where the graph scales or shifts the image before anything else is made of it. */
export function scalesItself(makers: ReadonlyMap<string, Step>, input: string): boolean {
  const images = new Set([input]);
  for (const [name, { op, inputs }] of makers) {
    if (!inputs.some(given => images.has(given))) continue;
    if (SCALES.has(op)) return true;
    if (HANDS_ON.has(op)) images.add(name);
  }
  return false;
}
