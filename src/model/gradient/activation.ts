import type { Activation } from '../graph/graph.js';
import type { ProgramBuilder } from '../program/builder.js';
import type { Term } from '../program/words.js';
import type { Context, Taped } from './context.js';
import { relu } from './relu.js';
import { sigmoid } from './sigmoid.js';

/** A function of one number; see ACTIVATIONS. */
export function activation(context: Context, name: Activation, x: Term): Taped {
  const { p } = context;
  switch (name) {
    case 'relu':
      return relu(context, x);
    case 'sigmoid':
      return sigmoid(context, x);
    case 'relu6':
      return relu6(p, x);
    case 'silu': {
      const sigma = p.unary('sigmoid', x);
      const output = p.mul(x, sigma);
      // (x σ)′ = σ + x σ (1 − σ)
      const slope = () => p.add(sigma, p.mul(output, p.sub(p.number(1), sigma)));
      return { output, backward: gradient => [p.mul(gradient, slope())] };
    }
    case 'hardSigmoid':
      return hardSigmoid(p, x);
    case 'hardSwish': {
      const gate = hardSigmoid(p, x);
      const backward: Taped['backward'] = gradient => {
        const [within] = gate.backward(p.mul(gradient, x), [true]);
        return [p.add(p.mul(gradient, gate.output), within!)];
      };
      return { output: p.mul(x, gate.output), backward };
    }
    case 'gelu': {
      const below = p.mul(p.add(p.unary('erf', p.mul(x, Math.SQRT1_2)), p.number(1)), 0.5);
      // (x Φ)′ = Φ + x φ
      const density = () => p.mul(p.unary('exp', p.mul(p.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      const slope = () => p.add(below, p.mul(x, density()));
      return { output: p.mul(x, below), backward: gradient => [p.mul(gradient, slope())] };
    }
  }
}

/** The gradient passes between 0 and 6, at neither of them, as in PyTorch. */
function relu6(p: ProgramBuilder, x: Term): Taped {
  const positive = p.unary('relu', x);
  const output = p.mul(p.binary('max', p.mul(positive, -1), p.number(-6)), -1);
  const room = () => p.unary('relu', p.sub(p.number(6), x));
  return { output, backward: gradient => [p.gate(p.gate(gradient, positive), room())] };
}

function hardSigmoid(p: ProgramBuilder, x: Term): Taped {
  const clipped = relu6(p, p.add(x, p.number(3)));
  return {
    output: p.mul(clipped.output, 1 / 6),
    backward: (gradient, wanted) => clipped.backward(p.mul(gradient, 1 / 6), wanted),
  };
}
