import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { groupNorms } from '#src/model/graph/freeze.js';
import { type TensorToWrite, writeSafetensors } from '#src/model/safetensors-write.js';
import { runCli } from '../support/cli.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

const STARTER = fileURLToPath(new URL('../../models/stroma-fpn-resnet34-starter', import.meta.url));

const PATCH = fileURLToPath(new URL('../golden/model_patch.webp', import.meta.url));

describe('stromaflow model', () => {
  it('inspects a bundle: architecture, weights, provenance', async () => {
    const { status, stdout } = await runCli(['model', 'inspect', STARTER]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/FPN\/resnet34/);
    expect(stdout).toMatch(/weights {5}23,172,417 in 211 × F16/);
    expect(stdout).toMatch(/licence {5}research and demonstration only/);
  });

  it('verifies a sound bundle, and names what is wrong with a broken one', async () => {
    const sound = await runCli(['model', 'verify', STARTER, '--json']);
    expect(sound.status).toBe(0);
    expect(JSON.parse(sound.stdout)).toMatchObject({ problems: [] });
    const folder = join(await emptyFolder(), 'broken');
    expect((await runCli(['model', 'import', STARTER, folder])).status).toBe(0);
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, decoder_segmentation_channels: 64 }));
    const broken = await runCli(['model', 'verify', folder]);
    expect(broken.status).toBe(1);
    expect(broken.stderr).toMatch(/\[MODEL_TENSOR\]/);
  });

  it('runs a model on a picture and writes float32 logits for every pixel', async () => {
    const folder = await emptyFolder();
    const [image, logits] = [join(folder, 'patch.png'), join(folder, 'logits.npy')];
    const noise = { mean: 180, sigma: 30, type: 'gaussian' as const };
    await sharp({ create: { width: 128, height: 96, channels: 3, background: '#fff', noise } })
      .png()
      .toFile(image);
    const { status, stdout } = await runCli(['model', 'run', STARTER, '--image', image, '--logits', logits]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/logits 1 × 1 × 96 × 128/);
    const file = await readFile(logits);
    const header = file.subarray(10, 10 + file.readUInt16LE(8)).toString('latin1');
    expect(header).toMatch(/'descr': '<f4'.*'shape': \(1, 1, 96, 128\)/);
    expect(file.length).toBe(10 + file.readUInt16LE(8) + 96 * 128 * 4);
  });

  it('quantises a bundle on pictures, and says how far the two differ', async () => {
    const folder = await emptyFolder();
    const source = await makeBundle({ config: SMALL });
    await mkdir(join(folder, 'pictures'));
    await copyFile(PATCH, join(folder, 'pictures/patch.webp'));
    const images = ['--images', join(folder, 'pictures')];
    const { status, stdout } = await runCli([
      'model',
      'quantise',
      source,
      join(folder, 'int8'),
      ...images,
      '--threads',
      '1',
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^formula-int8 1\.0\.0\+[0-9a-f]{8} in .*int8\n/);
    expect(stdout).toMatch(/calibrated {2}on 48 patches, compared on 16 others/);
    expect(stdout).toMatch(/masks {7}\d+\.\d+ % of the pixels agree/);
    expect(stdout).toMatch(/× as fast here/);
    const verified = await runCli(['model', 'verify', join(folder, 'int8'), '--engine', 'cpu']);
    expect(verified.status).toBe(0);
    const elsewhere = await runCli(['model', 'verify', join(folder, 'int8'), '--engine', 'tfjs-wasm']);
    expect(elsewhere.stderr).toMatch(/int8, for --engine cpu only \[MODEL_UNSUPPORTED\] choose --engine cpu/);
    const unnamed = await runCli(['model', 'quantise', source, join(folder, 'other')]);
    expect(unnamed.stderr).toMatch(/--images <folder> \[USAGE\]/);
  });

  it('freezes norms by pictures, says what it did, and inspects and verifies it either way', async () => {
    const folder = await emptyFolder();
    const config = { ...SMALL, decoder_use_norm: { type: 'instancenorm', affine: true } };
    const bundle = await makeBundle({ config }, join(folder, 'bundle'));
    await copyFile(PATCH, join(folder, 'patch.webp'));
    const images = ['--images', `${join(folder, 'patch.webp')},${SLIDE}`, '--patches', '20', '--threads', '1'];
    const { status, stdout } = await runCli(['model', 'freeze', bundle, ...images]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^formula 1\.0\.0\+[0-9a-f]{8}\.frozen in .*bundle\n/);
    expect(stdout).toContain(
      'norms       frozen, by 20 patches of 2 pictures or slides (patch.webp, CMU-1-Small-Region.svs)',
    );
    expect(stdout).toMatch(/within {6}\d+\.\d % of a standard deviation/);
    expect(stdout).toContain('spacing     1 of the pictures counted as 0.5 µm/px, as the model wants it: give --mpp');
    expect(JSON.parse(await readFile(join(bundle, 'stromaflow.json'), 'utf8'))).toMatchObject({
      name: 'formula',
      normStatistics: { patches: 20, files: 2, from: ['patch.webp', 'CMU-1-Small-Region.svs'], patchSize: 64 },
    });
    const frozen = await runCli(['model', 'verify', bundle, '--engine', 'cpu']);
    expect(frozen.stdout).toMatch(/\.frozen: 0 problems\nnorms {7}frozen, by 20 patches/);
    const own = await runCli(['model', 'inspect', bundle, '--norm', 'patch']);
    expect(own.stdout).not.toMatch(/frozen/);
    expect((await runCli(['model', 'freeze', bundle, ...images])).stderr).toMatch(/exists \[USAGE\] .*--overwrite/);
    expect((await runCli(['model', 'freeze', bundle])).stderr).toMatch(/needs --images/);
    const large = ['--overwrite', '--patch-size', '1024'];
    const few = await runCli(['model', 'freeze', bundle, ...images, ...large]);
    expect(few.stderr).toMatch(/patches that are tissue throughout are too few .*\[USAGE\]/);
  });

  it('freezes a copy by the pictures that a split trains on, and leaves the bundle as it was', async () => {
    const folder = await emptyFolder();
    const config = { ...SMALL, decoder_use_norm: { type: 'instancenorm', affine: true } };
    const bundle = await makeBundle({ config }, join(folder, 'bundle'));
    await writeFile(join(bundle, 'seen.sha256'), `${'0'.repeat(64)}  a.png\n`);
    const before = (await readdir(bundle)).sort();
    await mkdir(join(folder, 'images'));
    for (const name of ['a b', 'c', 'd']) await copyFile(PATCH, join(folder, `images/${name}.webp`));
    const splitOf = async (by: string, images: object) => {
      const path = join(folder, `${by}.json`);
      const fractions = { train: 0.5, validation: 0, test: 0.5 };
      await writeFile(
        path,
        JSON.stringify({ version: 1, by, seed: 1, fractions, spacing: 0.5, patchSize: 64, images }),
      );
      return path;
    };
    const split = await splitOf('patient', {
      a_b: { patient: 'p', split: 'train' },
      c: { patient: 'q', split: 'test' },
    });
    const copy = join(folder, 'copy');
    const args = [
      'model',
      'freeze',
      bundle,
      copy,
      '--images',
      join(folder, 'images'),
      '--mpp',
      '0.5',
      '--patches',
      '16',
      '--threads',
      '1',
    ];
    const made = await runCli([...args, '--split', split]);
    expect(made).toMatchObject({ status: 0, stderr: '' });
    expect(made.stdout).not.toContain('counted as');
    expect(made.stdout).toContain('frozen, by 16 patches of 1 pictures or slides (images)');
    expect((await readdir(bundle)).sort()).toEqual(before);
    expect((await readdir(copy)).sort()).toEqual([...before, 'norm-statistics.safetensors'].sort());
    const taken = await runCli([...args, '--split', split]);
    expect(taken).toMatchObject({ status: 2, stderr: expect.stringMatching(/copy exists \[USAGE\] .*--overwrite/) });
    const again = await runCli([...args, '--split', split, '--overwrite']);
    expect(again.status).toBe(0);
    const itself = await runCli(['model', 'freeze', bundle, bundle, ...args.slice(4)]);
    expect(itself.stderr).toMatch(/is the bundle itself \[USAGE\]/);
    const byPatch = await runCli([
      ...args,
      '--split',
      await splitOf('patch', { c: { patient: 'q', cols: 1, patches: 't' } }),
    ]);
    expect(byPatch.stderr).toMatch(/patches of every picture on both sides \[LABELS_INVALID\]/);
    const unknown = await runCli([...args, '--overwrite', '--split', await splitOf('patient', {})]);
    expect(unknown.stderr).toMatch(/none of its pictures is to be taken \[FILE_NOT_FOUND\]/);
    expect((await readdir(copy)).sort()).toContain('norm-statistics.safetensors');
  });

  describe('with statistics that are not its own', () => {
    const FPN = { _model_class: 'FPN', encoder_name: 'resnet18' };
    const INSTANCE = { ...SMALL, decoder_use_norm: { type: 'instancenorm', affine: true } };
    type Change = (tensors: TensorToWrite[], metadata: Record<string, string>) => void;
    const keep: Change = () => undefined;

    /** A bundle whose statistics were written for `config`, and changed. */
    async function bundleWith(change: Change, config: object = INSTANCE, weights?: string): Promise<string> {
      const bundle = await makeBundle({ config: INSTANCE });
      const network = buildNetwork(parseArchitecture(config, 'config.json'));
      const tensors = groupNorms(network).flatMap(({ name, groups }): TensorToWrite[] => [
        { name: `${name}.running_mean`, shape: [groups], values: new Float32Array(groups) },
        { name: `${name}.running_var`, shape: [groups], values: new Float32Array(groups).fill(1) },
      ]);
      const bytes = await readFile(weights ?? join(bundle, 'model.safetensors'));
      const metadata = { patches: '60', weights: createHash('sha256').update(bytes).digest('hex') };
      change(tensors, metadata);
      await writeSafetensors(join(bundle, 'norm-statistics.safetensors'), tensors, 'F32', metadata);
      return bundle;
    }

    const set =
      (part: string, value: number): Change =>
      tensors => {
        tensors.find(({ name }) => name.endsWith(part))!.values[1] = value;
      };
    const patches =
      (count: string): Change =>
      (_, metadata) => {
        metadata['patches'] = count;
      };

    it('is sound where they are', async () => {
      const sound = await runCli(['model', 'verify', await bundleWith(keep), '--engine', 'cpu']);
      expect(sound).toMatchObject({ status: 0, stdout: expect.stringMatching(/frozen, by 60 patches/) });
    });

    it.each<[string, Change, RegExp, object?]>([
      ['another architecture', keep, /no norm for the statistics decoder\..* \[MODEL_TENSOR\]/, FPN],
      ['fewer norms', tensors => void tensors.splice(0, 1), /running_mean \[\d+\] is missing.*\[MODEL_TENSOR\]/],
      ['15 patches', patches('15'), /from 15 patches; 16 are the least \[MODEL_INVALID\]/],
      ['nobody knows how many patches', patches('many'), /from many patches; 16 are the least \[MODEL_INVALID\]/],
      ['NaN', set('running_mean', Number.NaN), /running_mean holds NaN at 1.*\[MODEL_INVALID\]/],
      ['infinity', set('running_var', Number.POSITIVE_INFINITY), /running_var holds Infinity at 1.*\[MODEL_INVALID\]/],
      [
        'a negative variance',
        set('running_var', -1),
        /running_var holds -1 at 1, a variance below 0.*\[MODEL_INVALID\]/,
      ],
      [
        'other weights',
        (_, metadata) => {
          metadata['weights'] = '0'.repeat(64);
        },
        /taken with other weights .*\[MODEL_INVALID\]/,
      ],
    ])('is refused by name: %s', async (_, change, message, config = INSTANCE) => {
      const bundle = await bundleWith(change, config);
      const verified = await runCli(['model', 'verify', bundle, '--engine', 'cpu']);
      expect(verified).toMatchObject({ status: 1, stderr: expect.stringMatching(message) });
      expect(verified.stderr).toContain('norm-statistics.safetensors');
    });

    it('segments nothing; by each patch’s own it needs none', async () => {
      const bundle = await bundleWith(patches('15'));
      const out = await emptyFolder();
      const segmented = await runCli(['segment', SLIDE, '--model', bundle, '--engine', 'cpu', '--out', out]);
      expect(segmented).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/16 are the least \[MODEL_INVALID\]/),
      });
      expect(segmented.stderr.trimEnd().split('\n')).toHaveLength(1);
      expect(await readdir(out)).toEqual([]);
      expect((await runCli(['model', 'inspect', bundle, '--norm', 'patch'])).status).toBe(0);
    });
  });

  it('refuses what it cannot use in one line', async () => {
    const taken = await runCli(['model', 'import', STARTER, await emptyFolder()]);
    expect(taken.status).toBe(2);
    expect(taken.stderr).toMatch(/exists \[USAGE\] .*--overwrite/);
    const unnamed = await runCli(['model', 'run', STARTER]);
    expect(unnamed.stderr).toMatch(/--image <file> and --logits <file> \[USAGE\]/);
  });
});
