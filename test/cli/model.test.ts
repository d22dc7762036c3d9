import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
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

  it('refuses what it cannot use in one line', async () => {
    const taken = await runCli(['model', 'import', STARTER, await emptyFolder()]);
    expect(taken.status).toBe(2);
    expect(taken.stderr).toMatch(/exists \[USAGE\] .*--overwrite/);
    const unnamed = await runCli(['model', 'run', STARTER]);
    expect(unnamed.stderr).toMatch(/--image <file> and --logits <file> \[USAGE\]/);
  });
});
