import { expect } from 'vitest';

/** Scores computed in two ways: equal to ten digits, or undefined (0/0) on both sides. */
export function expectEqual(ours: number, theirs: number, name: string): void {
  if (Number.isNaN(theirs)) expect(ours, name).toBeNaN();
  else expect(ours, name).toBeCloseTo(theirs, 10);
}
