import { basename } from 'node:path';
import type { StromaflowError } from '../../errors.js';
import { unreadable } from '../tiff/probe.js';

/** Sides and tiles beyond these are damage. */
export const MAX_SIDE = 2 ** 24;
export const MAX_TILE = 8192;

/** SLIDE_UNREADABLE for a file that describes tiles and says what cannot be. */
export const unreadableManifest = (manifest: string, what: string): StromaflowError =>
  unreadable(manifest, what, `correct ${basename(manifest)}; docs/scanners.md says what is read of it`);

/** @throws SLIDE_UNREADABLE for what is no whole number, or beyond the limits. */
export function wholeNumber(manifest: string, name: string, given: unknown, most: number, least = 1): number {
  const value = typeof given === 'string' && /^\d{1,9}$/.test(given) ? Number(given) : given;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    throw unreadableManifest(manifest, `its ${name} is not a whole number from ${least} to ${most}`);
  return value;
}

/** @throws SLIDE_UNREADABLE: half a file and a file about something else look alike. */
export function parseJson(manifest: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw unreadableManifest(manifest, 'is not (yet) a description of tiles');
}

export const positive = (value: unknown): number | undefined =>
  typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : undefined;

/** Size of a level's grid. */
export function gridOf(
  width: number,
  height: number,
  tile: { readonly tileWidth: number; readonly tileHeight: number },
  downsample: number,
) {
  const cols = Math.ceil(width / tile.tileWidth);
  const rows = Math.ceil(height / tile.tileHeight);
  return { width, height, ...tile, cols, rows, downsample };
}
