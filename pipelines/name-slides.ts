import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '../src/config/options.js';
import { isRunOf } from '../src/live/growth-of.js';
import { openSlide, slideAt, slideIdAt } from '../src/slide/open.js';
import { isAddress, parseAddress, withoutSecrets } from '../src/slide/remote/address.js';
import type { RangeOptions } from '../src/slide/remote/ranges.js';
import { splitScene } from '../src/slide/scene-path.js';
import type { RemoteTraffic } from '../src/slide/slide.js';
import { splitRegion } from '../src/slide/tile-folder/find-tiles.js';
import { SlideNames, sourceAt } from '../src/store/slide-names.js';
import type { Parts } from './parts.js';
import type { SlideTask } from './slide-task.js';

/** A slide by where it lies. */
interface Place {
  /** What opens it: an address with its secrets, too. */
  readonly at: string;
  /** What may be said of it. */
  readonly path: string;
  readonly source: string;
  /** The same for all ways to one file. */
  readonly file: string;
}

/**
 * Slides that are named by their paths, each with a name of its own. Of several ways to one file (links, spellings) the first
 * counts. Names do not depend on the order of the paths.
 *
 * @param say hears, a line each, of what is not done twice and of what is not called by its file.
 * @param asked by address, what its server was asked before
 */
export async function nameSlides(
  paths: readonly string[],
  { config, ledger }: Pick<Parts, 'config' | 'ledger'>,
  say: (line: string) => void,
  asked: ReadonlyMap<string, RemoteTraffic> = new Map(),
): Promise<SlideTask[]> {
  const places = distinct(paths.map(placeOf), say);
  const names = new SlideNames(ledger, config.out);
  const remote = remoteOptions(config);
  const open = (path: string, id?: string, signal?: AbortSignal) => {
    const before = asked.get(path);
    return openSlide(path, { mpp: config.mpp, id, signal, remote: { ...remote, ...(before && { before }) } });
  };
  const ids = new Map<Place, string>();
  for (const place of places.toSorted((a, b) => (a.source < b.source ? -1 : 1))) {
    const { at, source } = place;
    const base = slideIdAt(at);
    const isSame: Parameters<SlideNames['give']>[0]['isSame'] = async run => {
      const opened = await open(at).catch(() => undefined);
      opened?.remote?.close();
      return opened !== undefined && isRunOf({ opened })(run);
    };
    const id = await names.give({ source, base, isSame });
    const line = names.explain({ source, base }, id);
    if (line !== undefined) say(line);
    ids.set(place, id);
  }
  return places.map(place => {
    const { path, at } = place;
    const id = ids.get(place)!;
    return { path, id, wantsResults: true, open: signal => open(at, id, signal) };
  });
}

function distinct(places: readonly Place[], say: (line: string) => void): Place[] {
  const first = new Map<string, Place>();
  for (const place of places) {
    const known = first.get(place.file);
    if (!known) first.set(place.file, place);
    else say(`${place.path}: is the slide at ${known.path} once more; it is segmented once`);
  }
  return [...first.values()];
}

/** How servers are asked for slides. */
export const remoteOptions = (config: Pick<Config, 'http-timeout'>): RangeOptions => ({
  stallMs: config['http-timeout'] * 1000,
});

function placeOf(path: string): Place {
  if (isAddress(path)) return placeOfAddress(path);
  const { manifest: at, region: regionOfFields } = splitRegion(slideAt(path));
  const { file: manifest, scene } = splitScene(at);
  const region = scene === undefined ? regionOfFields : String(scene);
  try {
    const real = realpathSync(manifest);
    const { dev, ino } = statSync(real);
    return { at: path, path, source: sourceAt(real, region), file: sourceAt(`${dev} ${ino}`, region) };
  } catch {
    // What is not there fails when it is opened.
    const source = sourceAt(resolve(manifest), region);
    return { at: path, path, source, file: source };
  }
}

/** All ways to sign an address lead to one slide. */
function placeOfAddress(at: string): Place {
  const { identity, scene } = parseAddress(at);
  const source = sourceAt(identity, scene === undefined ? undefined : String(scene));
  return { at, path: withoutSecrets(at), source, file: source };
}
