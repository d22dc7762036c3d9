import type { StainChange } from './augmentation.js';
import { type Colour, DENSITY, unit } from './density.js';
import { macenkoStains } from './macenko.js';
import { clampByte, type Window } from './window.js';

/**
 * Optical densities of haematoxylin, eosin and a third stain in red, green and blue, each of length 1 (Ruifrok and Johnston 2001,
 * "Quantification of histochemical staining by color deconvolution").
 */
const HED: readonly Colour[] = [unit([0.65, 0.7, 0.29]), unit([0.07, 0.99, 0.11]), unit([0.27, 0.57, 0.78])];

/**
 * Changes how strongly a picture is stained: its optical density is taken apart into stains, each stain's amount is changed, and the
 * picture is put together again (Tellez et al. 2018, "Whole-slide mitosis detection in H&E breast histology"). What the stains do not
 * explain stays. Glass, which has next to no density, stays glass but for the offset.
 */
export function changeStain(window: Window, { by, factors, offsets }: StainChange): void {
  const own = by === 'macenko' ? macenkoStains(window) : undefined;
  // A patch without enough stained tissue tells no stains of its own.
  const stains = by === 'macenko' ? [...(own ?? HED.slice(0, 2)), undefined].slice(0, 2) : HED;
  const basis = complete(stains as readonly Colour[]);
  const inverse = invert(basis);
  const { pixels, stride } = window;
  for (let y = window.top; y < window.bottom; y++) {
    for (let x = window.left, at = (y * stride + window.left) * 3; x < window.right; x++, at += 3) {
      const [r, g, b] = [DENSITY[pixels[at]!]!, DENSITY[pixels[at + 1]!]!, DENSITY[pixels[at + 2]!]!];
      let [red, green, blue] = [r, g, b];
      for (let s = 0; s < factors.length; s++) {
        const amount = r * inverse[s]![0] + g * inverse[s]![1] + b * inverse[s]![2];
        const change = amount * (factors[s]! - 1) + offsets[s]!;
        const colour = basis[s]!;
        red += change * colour[0];
        green += change * colour[1];
        blue += change * colour[2];
      }
      pixels[at] = clampByte(255 * 10 ** -red);
      pixels[at + 1] = clampByte(255 * 10 ** -green);
      pixels[at + 2] = clampByte(255 * 10 ** -blue);
    }
  }
}

/** Three directions of density: the stains and, of two, what is at right angles to both. */
function complete(stains: readonly Colour[]): [Colour, Colour, Colour] {
  const [a, b, c] = stains as [Colour, Colour, Colour | undefined];
  return [a, b, c ?? unit([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])];
}

/** How much of each direction a density holds: row s of the result, times red, green and blue, summed. */
function invert([a, b, c]: readonly [Colour, Colour, Colour]): [Colour, Colour, Colour] {
  const cross = (p: Colour, q: Colour): Colour => [
    p[1] * q[2] - p[2] * q[1],
    p[2] * q[0] - p[0] * q[2],
    p[0] * q[1] - p[1] * q[0],
  ];
  const [bc, ca, ab] = [cross(b, c), cross(c, a), cross(a, b)];
  const determinant = a[0] * bc[0] + a[1] * bc[1] + a[2] * bc[2];
  const over = (v: Colour): Colour => [v[0] / determinant, v[1] / determinant, v[2] / determinant];
  return [over(bc), over(ca), over(ab)];
}
