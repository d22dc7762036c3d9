import { createReadStream, readFileSync } from 'node:fs';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { get as httpGet, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeEvent } from '#src/event/decode.js';
import { unpackBits } from '#src/mask/bits.js';
import { decodeMaskPng } from '#src/mask/png.js';
import { openSlide } from '#src/slide/open.js';
import { RunningAggregate } from '#src/stage/aggregate.js';
import { coarser } from '#src/view/mask-levels.js';
import { createSampleEvents, slidePayloads } from '../event/samples.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { holdSlide, ID, startLooking, startViewing, storedMask, type Viewing } from '../view/viewing.js';

let viewing: Viewing;
beforeAll(async () => {
  viewing = await startViewing();
  await viewing.segment();
});
afterAll(() => viewing.close());

const api = `/api/slides/${ID}`;

/** Sends a path as it is written, which fetch would tidy up. */
function raw(path: string): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(viewing.server.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`),
    );
    let text = '';
    socket.on('data', chunk => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const [head = '', body = ''] = text.split('\r\n\r\n');
      resolve({ status: Number(head.split(' ')[1]), body });
    });
  });
}

describe('slides', () => {
  it('are listed, found by a part of their name, and counted as the summary counts them', async () => {
    const { total, slides } = await viewing.json<{ total: number; slides: object[] }>('/api/slides');
    expect(total).toBe(1);
    const summary = JSON.parse(await readFile(join(viewing.out, ID, 'summary.json'), 'utf8'));
    expect(slides[0]).toMatchObject({ slide: ID, state: 'completed', patches: summary.patches, area: summary.area });
    expect(await viewing.json('/api/slides?find=small')).toMatchObject({ total: 1 });
    expect(await viewing.json('/api/slides?find=other')).toMatchObject({ total: 0, slides: [] });
  });

  it('say what their tiles are, and what became of each patch', async () => {
    const slide = await viewing.json(api);
    expect(slide).toMatchObject({
      shape: { width: 2220, height: 2967, grid: { cols: 5, rows: 6, side: 512 } },
      picture: { tile: 512, levels: 4 },
      mask: { tile: 512, levels: 4, coarse: 5 },
    });
    const codes = Buffer.from(String(slide['codes']), 'base64');
    const { patches, total } = (await viewing.json(`${api}/patches`)) as unknown as {
      total: number;
      patches: { state: string; stromaPixels: number; validPixels: number }[];
    };
    expect([total, codes.length]).toEqual([30, 30]);
    const names = ['pending', 'segmented', 'empty', 'missing', 'failed'];
    expect([...codes].map(code => names[code & 7])).toEqual(patches.map(({ state }) => state));
    expect([...codes].map(code => code >> 3 > 0)).toEqual(patches.map(({ stromaPixels }) => stromaPixels > 0));
    const sum = patches.reduce((all, { stromaPixels }) => all + stromaPixels, 0);
    const { data } = await storedMask(viewing.out, ID, 0);
    expect(sum).toBe(data.reduce((all, pixel) => all + pixel, 0));
  });

  it('give their patches in pages', async () => {
    const first = await viewing.json(`${api}/patches?limit=7&state=segmented`);
    const next = await viewing.json(`${api}/patches?limit=7&offset=7&state=segmented`);
    const all = await viewing.json(`${api}/patches?state=segmented`);
    expect([...(first['patches'] as object[]), ...(next['patches'] as object[])]).toEqual(
      (all['patches'] as object[]).slice(0, 14),
    );
    expect(first['total']).toBe((all['patches'] as object[]).length);
  });

  it('that are open again count what earlier starts did, and say what the model says of itself', async () => {
    const later = await startLooking(await emptyFolder());
    try {
      const { slide, grid } = slidePayloads.opened;
      const event = createSampleEvents().slide('opened', { ...slidePayloads.opened, resumed: true });
      later.shelf.busObserver.published({ content: decodeEvent(event), error: undefined });
      const aggregate = new RunningAggregate(grid);
      const counts = { level: 0, validPixels: 4096, tissuePixels: 4096, stromaPixels: 1024 };
      const resumed = [{ ...counts, col: 1, row: 0, outcome: 'segmented' as const }];
      for (const record of resumed) aggregate.add(record);
      const model = { model: { notice: 'a starter' } };
      later.shelf.opened({ slide: { id: slide }, plan: {}, aggregate, resumed, model } as never);
      expect(await later.json(`/api/slides/${slide}`)).toMatchObject({
        patches: { expected: grid.cols * grid.rows, segmented: 1 },
        area: { stromaFraction: 0.25 },
        notes: [...(slidePayloads.opened.notes ?? []), { code: 'model-notice', message: 'a starter' }],
      });
    } finally {
      await later.close();
    }
  });

  it('of an earlier start are there with mask and patches, without their picture', async () => {
    const later = await startLooking(viewing.out);
    try {
      const [before, after] = [await viewing.json(api), await later.json(api)];
      expect(after).toMatchObject({
        area: before['area'],
        shape: before['shape'],
        codes: before['codes'],
        picture: null,
      });
      const tile = await later.get(`${api}/mask/0/1/1`);
      expect(Buffer.from(await tile.arrayBuffer())).toEqual(
        Buffer.from(await (await viewing.get(`${api}/mask/0/1/1`)).arrayBuffer()),
      );
      expect((await later.get(`${api}/tiles/0/0/0`)).status).toBe(404);
    } finally {
      await later.close();
    }
  });
});

describe('tiles', () => {
  it.each([0, 1])('of the mask at level %i are what mask.ome.zarr holds', async level => {
    const stored = await storedMask(viewing.out, ID, level);
    for (let row = 0; row * 512 < stored.height; row++)
      for (let col = 0; col * 512 < stored.width; col++) {
        const answer = await viewing.get(`${api}/mask/${level}/${col}/${row}`);
        const png = Buffer.from(await answer.arrayBuffer());
        expect(decodeMaskPng(png)).toMatchObject({ width: 512, height: 512 });
        const { data } = await sharp(png).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true });
        let wrong = 0;
        for (let y = 0; y < 512; y++)
          for (let x = 0; x < 512; x++) {
            const [u, v] = [col * 512 + x, row * 512 + y];
            const inside = u < stored.width && v < stored.height;
            const is = inside ? stored.data[v * stored.width + u]! : 0;
            if ((data[y * 512 + x]! > 0 ? 1 : 0) !== is) wrong += 1;
          }
        expect(wrong, `${level}/${col}/${row}`).toBe(0);
      }
  });

  it('of the mask at coarser levels keep its area', async () => {
    const stored = await storedMask(viewing.out, ID, 0);
    const share = stored.data.reduce((sum, pixel) => sum + pixel, 0) / (stored.width * stored.height);
    const tile = decodeMaskPng(Buffer.from(await (await viewing.get(`${api}/mask/3/0/0`)).arrayBuffer()));
    const set = tile.bits.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
    expect(set / ((stored.width * stored.height) / 64)).toBeCloseTo(share, 1);
  });

  it('of the picture are the slide, at every level', async () => {
    const whole = sharp(SLIDE, { page: 0 }).removeAlpha();
    for (const [z, col, row] of [
      [0, 2, 3],
      [1, 1, 1],
      [3, 0, 0],
    ] as const) {
      const answer = await viewing.get(`${api}/tiles/${z}/${col}/${row}`);
      expect(answer.headers.get('content-type')).toBe('image/jpeg');
      const tile = await sharp(Buffer.from(await answer.arrayBuffer()))
        .raw()
        .toBuffer({ resolveWithObject: true });
      const { width, height } = tile.info;
      const [x, y] = [col * 512 * 2 ** z, row * 512 * 2 ** z];
      const size = { width: Math.min(2220 - x, width << z), height: Math.min(2967 - y, height << z) };
      const truth = await whole
        .clone()
        .extract({ left: x, top: y, ...size })
        .resize(width, height, { fit: 'fill', kernel: 'linear' })
        .raw()
        .toBuffer();
      const error = tile.data.reduce((sum, value, i) => sum + Math.abs(value - truth[i]!), 0) / truth.length;
      expect(error, `${z}/${col}/${row}`).toBeLessThan(6);
    }
  });

  it('are sent once to who has them', async () => {
    for (const path of [`${api}/tiles/0/1/1`, `${api}/mask/0/1/1`, api, '/api/slides', `${api}/mask.geojson`]) {
      const first = await viewing.get(path);
      const etag = first.headers.get('etag')!;
      await first.arrayBuffer();
      const again = await viewing.get(path, { headers: { 'if-none-match': etag } });
      expect([again.status, await again.text()], path).toEqual([304, '']);
    }
  });

  it('come from a thread that yields to everything else', async () => {
    await viewing.get(`${api}/tiles/0/0/1`);
    const { readdirSync } = await import('node:fs');
    const nice = readdirSync('/proc/self/task').map(task =>
      Number(
        readFileSync(`/proc/self/task/${task}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .split(' ')[16],
      ),
    );
    // Whoever runs the tests may have told them to yield, too.
    const own = getPriority();
    expect(nice.filter(value => value === Math.max(10, own)).length).toBeGreaterThan(0);
    expect(nice.filter(value => value === own).length).toBeGreaterThan(3);
  });
});

describe('files', () => {
  it('are those of the results, whole or a range of one', async () => {
    for (const name of ['mask.geojson', 'summary.json', 'mask.ome.zarr/0/.zarray']) {
      const bytes = await readFile(join(viewing.out, ID, name));
      expect(Buffer.from(await (await viewing.get(`${api}/${name}`)).arrayBuffer()), name).toEqual(bytes);
      const part = await viewing.get(`${api}/${name}`, { headers: { range: 'bytes=5-14' } });
      expect([part.status, await part.text()]).toEqual([206, bytes.subarray(5, 15).toString()]);
      const end = await viewing.get(`${api}/${name}`, { headers: { range: 'bytes=-7' } });
      expect(await end.text()).toBe(bytes.subarray(-7).toString());
    }
  });

  it.each(['bytes=9999999-', 'bytes=5-2', 'bytes=x', 'bytes=-'])('refuse the range %s', async range => {
    const answer = await viewing.get(`${api}/mask.geojson`, { headers: { range } });
    expect(answer.status).toBe(416);
    expect(answer.headers.get('content-range')).toMatch(/^bytes \*\/\d+$/);
  });
});

interface Told {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Reads a slide's events until it has heard so many; `ready` is called when the stream is open. */
async function listen(slide: string, count: number, lastId?: string, ready?: () => void): Promise<Told[]> {
  const stop = new AbortController();
  const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': lastId };
  const answer = await viewing.get(`/api/slides/${slide}/events`, { headers, signal: stop.signal });
  ready?.();
  const told: Told[] = [];
  let text = '';
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const message = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(text.slice(0, end));
      text = text.slice(end + 2);
      if (message) told.push({ id: message[1]!, event: message[2]!, data: message[3]! });
    }
    if (told.length >= count) break;
  }
  stop.abort();
  return told;
}

describe('events', () => {
  it('tell each patch, its mask at once with it, and go on after the last that was read', async () => {
    const held = await holdSlide(viewing, 'told');
    const { position } = await viewing.json('/api/slides/told');
    const { patches } = await viewing.json(api);
    const told: Told[] = [];
    const heard = (async () => {
      for (let from = position as string; ; from = told.at(-1)!.id) {
        told.push(...(await listen('told', 1, from, held.read)));
        if (told.some(({ data }) => data.includes('"completed"'))) return;
      }
    })();
    await held.result;
    await heard;
    const ids = told.map(({ id }) => Number(id.split('-')[1]));
    expect(ids).toEqual(ids.map((_, i) => ids[0]! + i));
    const changes = told.filter(({ event }) => event === 'patches').map(({ data }) => JSON.parse(data));
    const codes = new Map<string, number>(
      changes.flatMap(change => change.patches).map(([c, r, v]) => [`${c},${r}`, v]),
    );
    expect([...codes.values()].filter(code => (code & 7) === 1).length).toBe(
      (patches as { segmented: number }).segmented,
    );
    const masks: [number, number, string][] = changes.flatMap(change => change.masks);
    expect(masks.length).toBe([...codes.values()].filter(code => code >> 3 > 0).length);
    // Each is its patch at the coarsest resolution that is stored, made as coarse as was stated.
    const stored = await storedMask(viewing.out, 'told', 2);
    for (const [col, row, packed] of masks) {
      const raster = new Uint8Array(128 * 128);
      for (let y = 0; y < 128; y++)
        for (let x = 0; x < 128; x++) {
          const [u, v] = [col * 128 + x, row * 128 + y];
          raster[y * 128 + x] = u < stored.width && v < stored.height ? stored.data[v * stored.width + u]! : 0;
        }
      const expected = coarser(raster, 128, 8, stored.width - col * 128, stored.height - row * 128);
      expect(unpackBits(Buffer.from(packed, 'base64'), 16, 16)).toEqual(expected);
    }
  });

  it.each(['deadbeef-5', '../../x', 'deadbeef-999999999999999'])('begin anew for who comes from %s', async last => {
    expect(await listen(ID, 1, last)).toMatchObject([{ event: 'reset' }]);
  });
});

describe('what nobody may see or do', () => {
  it.each([
    ['/api/slides/none', 404],
    ['/api/slides/none/events', 404],
    ['/api/slides/none/tiles/0/0/0', 404],
    [`${api}/tiles/0/99/0`, 404],
    [`${api}/tiles/9/0/0`, 404],
    [`${api}/tiles/-1/0/0`, 400],
    [`${api}/tiles/0/x/0`, 400],
    [`${api}/mask/0/5/0`, 404],
    [`${api}/mask/4/0/0`, 404],
    [`${api}/patches?offset=-1`, 400],
    [`${api}/patches?limit=100000`, 400],
    [`${api}/patches?state=any`, 400],
    ['/api/slides?limit=0', 400],
    [`/api/slides/..%2f..%2fetc`, 400],
    ['/api/slides/../../../etc/passwd', 404],
    [`${api}/mask.ome.zarr/../summary.json`, 404],
    [`${api}/mask.ome.zarr/%2e%2e%2fsummary.json`, 404],
    [`${api}/mask.ome.zarr/0/..%2f..%2fsummary.json`, 404],
    [`${api}/label.png`, 404],
    [`${api}/macro`, 404],
    ['/view/..%2fserver.js', 404],
    ['/view/main.js.map', 404],
  ])('%s: %i', async (path, status) => {
    const answer = await raw(path);
    expect(answer.status).toBe(status);
    expect(Object.keys(JSON.parse(answer.body))).toEqual(['error']);
  });

  it('a body of any size is not read', async () => {
    const answer = await new Promise<number>((resolve, reject) => {
      const sent = httpRequest(`${viewing.server.url}/api/slides`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': 50_000_000 },
      });
      sent.on('response', response => {
        resolve(response.statusCode!);
        response.resume();
        sent.destroy();
      });
      sent.on('error', error => ('code' in error && error.code === 'ECONNRESET' ? undefined : reject(error)));
      createReadStream(SLIDE).pipe(sent);
    });
    expect([404, 413]).toContain(answer);
  });

  it('a slide that was moved away is a clean answer, and its mask stays', async () => {
    const path = join(await emptyFolder(), 'moved.svs');
    await copyFile(SLIDE, path);
    await viewing.segment({ id: 'moved', path, open: () => openSlide(path, { id: 'moved' }) });
    await rm(path);
    const answer = await viewing.get('/api/slides/moved/tiles/0/0/0');
    expect(answer.status).toBe(404);
    expect(await answer.text()).not.toContain(path);
    expect((await viewing.get('/api/slides/moved/mask/0/0/1')).status).toBe(200);
  });

  it('no answer names a folder of this machine', async () => {
    const broken = join(await emptyFolder(), 'broken.svs');
    await writeFile(broken, 'no slide');
    await viewing.segment({ id: 'broken', path: broken, open: () => openSlide(broken, { id: 'broken' }) });
    const paths = ['/status', '/api/slides', '/api/slides/broken', api, `${api}/patches`, `${api}/summary.json`];
    for (const path of paths) {
      const text = await (await viewing.get(path)).text();
      expect(text, path).not.toMatch(/\/(tmp|home|root|work|usr)\//);
    }
    expect(await viewing.json('/api/slides/broken')).toMatchObject({
      ...{ state: 'failed', shape: null, picture: null, mask: null, codes: null },
      error: { code: 'SLIDE_UNREADABLE' },
    });
  });
});

describe('who may ask', () => {
  const token = 'a-token-of-many-characters';
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

  it('is whoever brings the token, as bearer or as a password', async () => {
    const guarded = await startLooking(viewing.out, { token });
    try {
      for (const path of [
        '/',
        '/status',
        '/api/slides',
        api,
        `${api}/events`,
        '/view/',
        '/api/openapi.json',
        '/nothing',
      ]) {
        for (const headers of [
          {},
          { authorization: `Bearer ${token}x` },
          basic('me:wrong'),
          basic(token),
        ] as RequestInit['headers'][]) {
          const refused = await guarded.get(path, { ...(headers ? { headers } : {}) });
          expect([path, refused.status]).toEqual([path, 401]);
          expect(refused.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
          expect(await refused.json()).toEqual({ error: 'a token is needed' });
        }
      }
      expect((await guarded.get(api, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
      expect((await guarded.get('/view/', { headers: basic(`anybody:${token}`) })).status).toBe(200);
      for (const path of ['/livez', '/metrics']) expect((await guarded.get(path)).status).toBe(200);
    } finally {
      await guarded.close();
    }
  });

  it('beyond this machine is nobody without one, but for what names no slide', async () => {
    const open = await startLooking(viewing.out, { host: '0.0.0.0' });
    try {
      const url = `http://127.0.0.1:${new URL(open.server.url).port}`;
      for (const path of ['/', '/status', '/api/slides', api, '/view/'])
        expect((await fetch(url + path)).status).toBe(403);
      for (const path of ['/livez', '/readyz', '/metrics']) expect((await fetch(url + path)).status).toBe(200);
    } finally {
      await open.close();
    }
  });

  it('asks no more than an address may', async () => {
    const limited = await startLooking(viewing.out, { rate: { perSecond: 0.001, burst: 3 } });
    try {
      const answers = [];
      for (let i = 0; i < 4; i++) answers.push(await limited.get('/api/slides'));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
      expect(answers[3]!.headers.get('retry-after')).toBe('1');
    } finally {
      await limited.close();
    }
  });

  it('is logged by route and id, never by token or query', async () => {
    const accessLog = join(await emptyFolder(), 'access.log');
    const logged = await startLooking(viewing.out, { token, accessLog });
    const headers = { authorization: `Bearer ${token}`, 'x-request-id': 'mine-1' };
    const answer = await logged.get(`${api}/patches?limit=3`, { headers });
    await answer.text();
    expect(answer.headers.get('x-request-id')).toBe('mine-1');
    const odd = await logged.get('/livez', { headers: { 'x-request-id': 'a b' } });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    await odd.text();
    await logged.close();
    let text = '';
    while (text.split('\n').length < 3) text = await readFile(accessLog, 'utf8');
    const line = text.split('\n').find(written => written.includes('/patches'))!;
    expect(JSON.parse(line)).toMatchObject({
      ...{ reqId: 'mine-1', method: 'GET', route: '/api/slides/:slide/patches', slide: ID, status: 200 },
    });
    expect(text).not.toContain(token);
    expect(text).not.toContain('limit=3');
  });
});

describe('the OpenAPI document', () => {
  it('is one, names every route, and its schemas hold what is answered', async () => {
    const document = (await viewing.json('/api/openapi.json')) as unknown as {
      paths: Record<string, { get: { responses: { 200: { content: Record<string, { schema: object }> } } } }>;
    };
    const result = await new Validator().validate(structuredClone(document));
    expect(result.valid, JSON.stringify(result)).toBe(true);
    expect(Object.keys(document.paths).sort()).toEqual(
      [
        ...['', '/{slide}', '/{slide}/patches', '/{slide}/events', '/{slide}/mask.geojson', '/{slide}/summary.json'],
        ...['/{slide}/tiles/{level}/{col}/{row}', '/{slide}/mask/{level}/{col}/{row}', '/{slide}/mask.ome.zarr/{path}'],
        '/{slide}/probability/{level}/{col}/{row}',
      ]
        .map(path => `/api/slides${path}`)
        .sort(),
    );
    const ajv = new Ajv2020({ strict: false });
    for (const [path, { get }] of Object.entries(document.paths)) {
      const content = get.responses[200].content['application/json'];
      if (!content || path.includes('summary.json')) continue;
      const validate = ajv.compile(content.schema);
      const answer = await viewing.json(path.replace('{slide}', ID));
      expect(validate(answer), `${path}: ${JSON.stringify(validate.errors)}`).toBe(true);
    }
  });

  it('is not for everybody of the web: no header opens it to other pages', async () => {
    const response = await new Promise<Record<string, unknown>>(resolve =>
      httpGet(`${viewing.server.url}${api}`, { headers: { origin: 'https://evil.example' } }, answer => {
        answer.resume();
        resolve(answer.headers);
      }),
    );
    expect(Object.keys(response).filter(name => name.startsWith('access-control'))).toEqual([]);
  });
});
