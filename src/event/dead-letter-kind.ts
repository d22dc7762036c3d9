import { ERRORS, type ErrorCode } from '../errors.js';

/**
 * What trying again can do for what was given up on. 'permanent': its content is at fault, and trying again gives the same; 'poison': it ended
 * or broke whatever took it up; 'transient': what it needs was not there, as often as it was tried.
 */
export const DEATH_KINDS = ['permanent', 'poison', 'transient'] as const;
export type DeathKind = (typeof DEATH_KINDS)[number];

const PERMANENT: readonly ErrorCode[] = [
  'TILE_CORRUPT',
  'SLIDE_TRUNCATED',
  'SLIDE_UNSUPPORTED',
  'SLIDE_NO_MPP',
  'SLIDE_SPACING',
  'PATCH_REJECTED',
  'MODEL_NOT_FINITE',
  'EVENT_INVALID',
];
const POISON: readonly ErrorCode[] = ['ENGINE_FAILED', 'OPENSLIDE_FAILED', 'INTERNAL'];

/** @param code of src/errors.ts; one that a later version made counts as transient. */
export function deathKind(code: string): DeathKind {
  if (!Object.hasOwn(ERRORS, code)) return 'transient';
  if (PERMANENT.includes(code as ErrorCode)) return 'permanent';
  return POISON.includes(code as ErrorCode) ? 'poison' : 'transient';
}
