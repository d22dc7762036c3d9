import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { findProgram, startNatsServer } from '#src/cli/nats-server.js';
import { emptyFolder } from '../support/paths.js';

const path = process.env['PATH'];
afterEach(() => {
  process.env['PATH'] = path;
});

async function program(script: string, mode = 0o755, name = 'a-server'): Promise<string> {
  const file = join(await emptyFolder(), name);
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, mode);
  return file;
}
const folderOf = (file: string): string => join(file, '..');

describe('a program on the PATH', () => {
  it('is the first that can be run', async () => {
    const [plain, first, second] = [await program('', 0o644), await program(''), await program('')];
    process.env['PATH'] = ['', ...[plain, first, second].map(folderOf)].join(delimiter);
    expect(findProgram('a-server')).toBe(first);
    expect(findProgram('another-server')).toBeUndefined();
  });

  it('is none where there is no PATH at all', () => {
    delete process.env['PATH'];
    expect(findProgram('a-server')).toBeUndefined();
  });
});

describe('a server of one’s own', () => {
  const started = expect.objectContaining({ code: 'BUS_UNREACHABLE', message: 'nats-server did not start' });
  /** The folder for the ports, as the server is told it. */
  const PORTS = 'while [ "$1" != --ports_file_dir ]; do shift; done';

  it('says where it listens, once its file is whole, and leaves no folder behind', async () => {
    const kept = await emptyFolder();
    const server = await startNatsServer(
      await program(
        `${PORTS}; echo "$2" > ${kept}/folder; printf '{"nats":' > "$2/a.ports"; sleep 0.1
         echo '{"nats":["nats://127.0.0.1:4999","nats://other:1"]}' > "$2/a.ports"; exec sleep 60`,
      ),
    );
    expect(server.url).toBe('nats://127.0.0.1:4999');
    const folder = (await readFile(join(kept, 'folder'), 'utf8')).trim();
    expect((await stat(folder)).isDirectory()).toBe(true);
    await server.stop();
    await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
    await server.stop();
  });

  it('that ends at once, or is not there, is not waited for', async () => {
    await expect(startNatsServer(await program('exit 1'))).rejects.toEqual(started);
    const absent = join(await emptyFolder(), 'absent');
    await expect(startNatsServer(absent)).rejects.toMatchObject({
      code: 'BUS_UNREACHABLE',
      cause: expect.objectContaining({ code: 'ENOENT' }),
    });
    await mkdir(absent);
    await expect(startNatsServer(absent)).rejects.toEqual(started);
  });
});
