// A trainer that really learns: logistic regression on red, green and blue, by Adam. Its four weights are the first
// three numbers of `segmentation_head.0.weight` and the one of `segmentation_head.0.bias`; all others stay as they are.

const WEIGHT = 'segmentation_head.0.weight';
const BIAS = 'segmentation_head.0.bias';
const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-8];
const SPEED = 1000;

/** @type {import('./logistic-trainer.mjs')['createLogisticTrainer']} */
export async function createLogisticTrainer({ graph, source }, { teacherDecay }, { signal }) {
  signal?.throwIfAborted();
  let tensors = new Map();
  for (const [name, shape] of graph.parameters) tensors.set(name, { name, shape, values: await source.read(name) });
  let step = 0;
  let m = new Float64Array(4);
  let v = new Float64Array(4);
  const weights = () => {
    const head = tensors.get(WEIGHT).values;
    return [head[0], head[1], head[2], tensors.get(BIAS).values[0]];
  };
  let teacher = Float32Array.from(weights());
  const run = ({ images, labels }, gradient, w = weights()) => {
    const sums = { loss: 0, intersection: 0, predicted: 0, labelled: 0 };
    const probabilities = new Float32Array(labels.length);
    let counted = 0;
    for (let i = 0; i < labels.length; i++) {
      const x = [0, 1, 2].map(c => images[i * 3 + c] / 255 - 0.5);
      const p = 1 / (1 + Math.exp(-(w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3])));
      probabilities[i] = p;
      if (labels[i] === 255) continue;
      counted++;
      const y = labels[i];
      sums.loss -= Math.log(Math.max(1e-12, y === 1 ? p : 1 - p));
      if (p >= 0.5) sums.predicted++;
      if (y === 1) sums.labelled++;
      if (p >= 0.5 && y === 1) sums.intersection++;
      if (gradient) for (const [k, value] of [...x, 1].entries()) gradient[k] += (p - y) * value;
    }
    sums.loss /= Math.max(1, counted);
    if (gradient) for (let k = 0; k < 4; k++) gradient[k] /= Math.max(1, counted);
    return { ...sums, probabilities };
  };
  const learn = (gradient, rate) => {
    step++;
    const head = tensors.get(WEIGHT).values;
    const bias = tensors.get(BIAS).values;
    for (let k = 0; k < 4; k++) {
      m[k] = Math.fround(BETA1 * m[k] + (1 - BETA1) * gradient[k]);
      v[k] = Math.fround(BETA2 * v[k] + (1 - BETA2) * gradient[k] ** 2);
      const change = (SPEED * rate * (m[k] / (1 - BETA1 ** step))) / (Math.sqrt(v[k] / (1 - BETA2 ** step)) + EPSILON);
      if (k < 3) head[k] -= change;
      else bias[0] -= change;
    }
    if (teacherDecay === undefined) return;
    for (const [k, value] of weights().entries()) teacher[k] = teacherDecay * teacher[k] + (1 - teacherDecay) * value;
  };
  return {
    step: async (batches, rate, pseudo) => {
      const total = { loss: 0, intersection: 0, predicted: 0, labelled: 0 };
      const gradient = [0, 0, 0, 0];
      for (const batch of batches) {
        const own = [0, 0, 0, 0];
        const { loss, intersection, predicted, labelled } = run(batch, own);
        for (const [k, value] of own.entries()) gradient[k] += value / batches.length;
        total.loss += loss / batches.length;
        total.intersection += intersection;
        total.predicted += predicted;
        total.labelled += labelled;
      }
      for (const batch of pseudo?.batches ?? []) {
        const own = [0, 0, 0, 0];
        run(batch, own);
        for (const [k, value] of own.entries()) gradient[k] += (pseudo.weight * value) / pseudo.batches.length;
      }
      learn(gradient, rate);
      return total;
    },
    evaluate: async batch => run(batch),
    teach: async batch => run(batch, undefined, teacher).probabilities,
    save: async () => {
      const copies = [...tensors].map(([name, tensor]) => [name, { ...tensor, values: tensor.values.slice() }]);
      const moment = (kind, values) => [
        [`adam.${kind}.${WEIGHT}`, { name: `adam.${kind}.${WEIGHT}`, shape: [4], values: Float32Array.from(values) }],
      ];
      const name = `teacher.${WEIGHT}`;
      const mean = teacherDecay === undefined ? [] : [[name, { name, shape: [4], values: teacher.slice() }]];
      return { step, tensors: new Map([...copies, ...moment('m', m), ...moment('v', v), ...mean]) };
    },
    restore: async state => {
      step = state.step;
      m = Float64Array.from(state.tensors.get(`adam.m.${WEIGHT}`).values);
      v = Float64Array.from(state.tensors.get(`adam.v.${WEIGHT}`).values);
      const own = [...state.tensors].filter(([name]) => !/^(adam|teacher)\./.test(name));
      teacher = state.tensors.get(`teacher.${WEIGHT}`)?.values.slice() ?? teacher;
      tensors = new Map(own.map(([name, tensor]) => [name, { ...tensor, values: tensor.values.slice() }]));
    },
    close: async () => undefined,
  };
}
