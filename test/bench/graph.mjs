import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeLargeSlide } from './large-slide.mjs';
import { FIXTURE, withFolder } from './support.mjs';

const CHILD = fileURLToPath(new URL('graph-child.mjs', import.meta.url));
const PATCH = 512;

/** What a machine for one GPU has beside it. */
const CORES = 16;

/**
 * What a patch costs beside the model: a slide of that many patches, made ad hoc, goes through the whole graph (read, filter, masks, files,
 * events, ledger, finish) with an engine that answers at once. Smooth and ragged masks apart, each in a process of its own; the figures at the
 * top are of the smooth ones, which are what networks make.
 */
export function benchGraph({
  patches,
  readers = Math.max(1, availableParallelism() - 1),
  batch = 16,
  kinds = ['smooth', 'ragged'],
  say,
}) {
  return withFolder(async folder => {
    const slide = join(folder, 'slide.tif');
    const { width, height } = await makeLargeSlide(FIXTURE, slide, await timesFor(patches), { shared: true });
    say(`a slide of ${width} × ${height} px, ${readers} reader threads, batches of ${batch}`);
    const measured = {};
    for (const kind of kinds) {
      const args = [CHILD, slide, join(folder, kind), kind, String(readers), String(batch)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      measured[kind] = JSON.parse(stdout);
      tell(measured[kind], say);
    }
    const { smooth, ragged } = measured;
    return { ...figures(smooth ?? ragged), ...(smooth && ragged ? { ragged: figures(ragged) } : {}) };
  });
}

/** Copies of the fixture along each side for at least so many patches. */
async function timesFor(patches) {
  const [across, down] = [2160, 2880];
  for (let times = 1; ; times++)
    if (Math.ceil((across * times) / PATCH) * Math.ceil((down * times) / PATCH) >= patches) return times;
}

function tell(run, say) {
  const mib = bytes => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  say(
    `${run.kind} masks, ${run.patches} patches: ${run.patchesPerSecond.toFixed(0)} a second by the clock of this machine`,
  );
  say(
    `  processor ${run.cpuMsPerPatch.toFixed(2)} ms a patch, main thread ${run.mainMsPerPatch.toFixed(3)} ms; its event loop busy ${(run.mainLoopUtilisation * 100).toFixed(0)} %`,
  );
  say(
    `  memory ${mib(run.rssAtTenth)} in the first tenth, at most ${mib(run.rssPeak)}: + ${(run.rssGrowth * 100).toFixed(1)} %`,
  );
  say(
    `  finished ${run.finishSeconds.toFixed(2)} s after the last patch, of ${run.seconds.toFixed(1)} s; ${run.polygons.polygons} polygons`,
  );
  const [byCores, byMain] = [(CORES * 1000) / run.cpuMsPerPatch, 1000 / run.mainMsPerPatch];
  say(
    `  on paper ${CORES} such cores feed ${Math.min(byCores, byMain).toFixed(0)} patches a second (all of them ${byCores.toFixed(0)}, the main thread ${byMain.toFixed(0)})`,
  );
}

const figures = ({ patchesPerSecond, cpuMsPerPatch, mainMsPerPatch, rssGrowth, finishSeconds }) =>
  Object.fromEntries(
    Object.entries({ patchesPerSecond, cpuMsPerPatch, mainMsPerPatch, rssGrowth, finishSeconds }).map(
      ([name, value]) => [name, Math.round(value * 1000) / 1000],
    ),
  );
