import { readFileSync, realpathSync } from 'node:fs';

/** File systems whose changes on other machines the kernel does not tell: NFS, SMB, and what goes through FUSE or a hypervisor. */
const REMOTE =
  /^(nfs\d?|cifs|smb\d?|smbfs|ncpfs|afs|ceph|lustre|glusterfs|gfs2|ocfs2|9p|virtiofs|vboxsf|fuse(\..*)?|fuseblk|drvfs)$/;

/**
 * True when a folder lies on a file system that gives no events for what other machines write. On systems without
 * /proc/self/mountinfo false: there events are tried, and the poll finds what they miss.
 */
export function isRemote(folder: string, mountinfo: string | undefined = readMounts()): boolean {
  const type = mountinfo === undefined ? undefined : fileSystemOf(realpathSync(folder), mountinfo);
  return type !== undefined && REMOTE.test(type);
}

/** File systems that make up inode numbers: the same folder may have another one tomorrow. */
const UNSTABLE = /^(fuse(\..*)?|fuseblk|9p|virtiofs|vboxsf|drvfs)$/;

/** False where a folder's inode number says nothing of which folder it is. */
export function hasStableInodes(folder: string, mountinfo: string | undefined = readMounts()): boolean {
  const type = mountinfo === undefined ? undefined : fileSystemOf(folder, mountinfo);
  return type === undefined || !UNSTABLE.test(type);
}

/** Type of the mount that holds a path. */
export const fileSystemOf = (path: string, mountinfo: string): string | undefined => mountAt(path, mountinfo)?.type;

/** What is mounted where a path lies: the same text whenever the same share is mounted there. Undefined where the system does not tell. */
export function mountOf(path: string, mountinfo: string | undefined = readMounts()): string | undefined {
  const mount = mountinfo === undefined ? undefined : mountAt(path, mountinfo);
  return mount && [mount.type, mount.source, mount.root, mount.point].join(' ');
}

interface Mount {
  readonly type: string;
  /** Device or share. */
  readonly source: string;
  /** Folder in it that is mounted. */
  readonly root: string;
  readonly point: string;
}

/** The mount that holds a path, by proc(5): "… root mount point … - type source options"; of two mounts, the later one. */
function mountAt(path: string, mountinfo: string): Mount | undefined {
  let best: Mount | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ', 2);
    const [, , , root, point] = before?.split(' ').map(unescapeOctal) ?? [];
    const [type, source] = after?.split(' ', 2) ?? [];
    if (root === undefined || point === undefined || type === undefined || source === undefined) continue;
    const holds = point === '/' || path === point || path.startsWith(`${point}/`);
    if (holds && point.length >= (best?.point.length ?? 0)) best = { type, source, root, point };
  }
  return best;
}

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));

function readMounts(): string | undefined {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return undefined;
  }
}
