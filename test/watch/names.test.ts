import { describe, expect, it } from 'vitest';
import { fileSystemOf, hasStableInodes, isRemote, mountOf } from '#src/watch/file-system.js';
import { isSlideName, matcher } from '#src/watch/names.js';

describe('isSlideName', () => {
  it.each([
    ['a.svs', true],
    ['.a.svs', false],
    ['a.svs.part', false],
    ['case/NDTiff.index', true],
    ['case/Full resolution/NDTiff.index', true],
    ['case/Downsampled_x2/NDTiff.index', false],
    ['case/scan_NDTiffStack.tif', false],
    ['case/scan_NDTiffStack_12.tif', false],
    ['case/scan.tif', true],
  ])('%s: %s', (path, expected) => {
    expect(isSlideName(path)).toBe(expected);
  });
});

describe('matcher', () => {
  it.each([
    ['qc_*', 'qc_1.svs', true],
    ['qc_*', 'case/qc_1.svs', true],
    ['qc_*', 'case/my_qc_1.svs', false],
    ['calibration', 'calibration/a.svs', true],
    ['calibration', 'deep/calibration/a.svs', true],
    ['calibration', 'calibrations/a.svs', false],
    ['frozen/**', 'frozen/a/b.svs', true],
    ['frozen/**', 'case/frozen/b.svs', false],
    ['frozen/*', 'frozen/a/b.svs', false],
    ['*.TIFF', 'a.tiff', true],
    ['a?.svs', 'ab.svs', true],
    ['a?.svs', 'a/.svs', false],
    ['a.svs', 'abssvs', false],
    ['x, y* ', 'yes.svs', true],
    ['(a|b)[1].svs', '(a|b)[1].svs', true],
    ['', 'a.svs', false],
    [undefined, 'a.svs', false],
  ])('%j of %j is %s', (patterns, path, expected) => {
    expect(matcher(patterns)(path)).toBe(expected);
  });
});

const MOUNTS = `22 1 254:1 / / rw - ext4 /dev/vda1 rw
30 22 0:40 / /mnt/scans rw - cifs //scanner/out rw
31 30 0:41 / /mnt/scans/local rw - ext4 /dev/vdb rw
32 22 0:42 / /mnt/with\\040space rw - nfs4 server:/x rw
33 22 0:43 / /mnt/ssh rw - fuse.sshfs host:/ rw`;

describe('file systems', () => {
  it.each([
    ['/home/scans', 'ext4'],
    ['/mnt/scans', 'cifs'],
    ['/mnt/scans/case', 'cifs'],
    ['/mnt/scans/local/case', 'ext4'],
    ['/mnt/scans2', 'ext4'],
    ['/mnt/with space/a', 'nfs4'],
    ['/mnt/ssh', 'fuse.sshfs'],
  ])('%s lies on %s', (path, type) => {
    expect(fileSystemOf(path, MOUNTS)).toBe(type);
  });

  it('knows those that give no events', () => {
    expect(isRemote('/', '1 1 0:1 / / rw - nfs4 server:/ rw')).toBe(true);
    expect(isRemote('/', '1 1 0:1 / / rw - overlay overlay rw')).toBe(false);
    expect(isRemote('/', 'not a table of mounts')).toBe(false);
  });

  it('tells which share is mounted where a path lies', () => {
    expect(mountOf('/mnt/scans/case', MOUNTS)).toBe('cifs //scanner/out / /mnt/scans');
    expect(mountOf('/mnt/scans', MOUNTS)).toBe(mountOf('/mnt/scans/case', MOUNTS));
    expect(mountOf('/mnt/scans', MOUNTS.replace(/^30.*$/m, ''))).toBe('ext4 /dev/vda1 / /');
    expect(mountOf('/mnt/with space', MOUNTS)).toBe('nfs4 server:/x / /mnt/with space');
    expect(mountOf('/', 'not a table of mounts')).toBeUndefined();
  });

  it('knows those that make up inode numbers', () => {
    expect(['/mnt/scans', '/mnt/ssh/in', '/'].map(path => hasStableInodes(path, MOUNTS))).toEqual([true, false, true]);
    expect(hasStableInodes('/', 'not a table of mounts')).toBe(true);
  });
});
