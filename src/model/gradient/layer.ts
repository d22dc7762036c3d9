import type { GraphNode } from '../graph/graph.js';
import type { Term } from '../program/words.js';
import { add } from './add.js';
import { concat } from './concat.js';
import type { Context, Taped } from './context.js';
import { conv } from './conv.js';
import { globalAverage } from './global-average.js';
import { maxPool } from './max-pool.js';
import { multiply } from './multiply.js';
import { batchNorm, groupNorm } from './norm.js';
import { relu } from './relu.js';
import { sigmoid } from './sigmoid.js';
import { upsample } from './upsample.js';

/** A layer of a graph, forward, and how to come back. */
export function tape(context: Context, node: Exclude<GraphNode, { op: 'input' }>, inputs: readonly Term[]): Taped {
  const [x] = inputs as [Term];
  switch (node.op) {
    case 'conv': {
      const convolved = conv(context, node, x);
      return node.batchNorm ? chained(convolved, batchNorm(context, node.batchNorm, convolved.output)) : convolved;
    }
    case 'groupNorm':
      return groupNorm(context, node, x);
    case 'maxPool':
      return maxPool(context, x, node);
    case 'upsample':
      return upsample(context, x, node.factor, node.mode);
    case 'relu':
      return relu(context, x);
    case 'sigmoid':
      return sigmoid(context, x);
    case 'globalAverage':
      return globalAverage(context, x);
    case 'add':
      return add(context, inputs as [Term, Term]);
    case 'multiply':
      return multiply(context, inputs as [Term, Term]);
    case 'concat':
      return concat(context, inputs);
  }
}

function chained(first: Taped, second: Taped): Taped {
  return {
    output: second.output,
    backward(gradient, wanted) {
      const [between] = second.backward(gradient, [true]);
      return first.backward(between!, wanted);
    },
  };
}
