/**
 * Which blocks of a patch are tissue: a bit for each of blocks × blocks, row by row, most significant bit first. Small enough to travel
 * with each patch.
 */

/** Room for the marks of a patch of `blocks` × `blocks` blocks. */
export const createMarks = (blocks: number): Uint8Array => new Uint8Array(Math.ceil((blocks * blocks) / 8));

export function markBlock(marks: Uint8Array, block: number): void {
  marks[block >> 3] = (marks[block >> 3] as number) | (0x80 >> (block & 7));
}

export const isMarked = (marks: Uint8Array, block: number): boolean =>
  ((marks[block >> 3] as number) & (0x80 >> (block & 7))) !== 0;
