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

/** Type of the mount that holds a path, by proc(5): "… mount point … - type source options"; of two mounts, the later one. */
export function fileSystemOf(path: string, mountinfo: string): string | undefined {
  let best: { readonly point: string; readonly type: string } | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ', 2);
    const point = before
      ?.split(' ')[4]
      ?.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    const type = after?.split(' ', 1)[0];
    if (point === undefined || type === undefined) continue;
    const holds = point === '/' || path === point || path.startsWith(`${point}/`);
    if (holds && point.length >= (best?.point.length ?? 0)) best = { point, type };
  }
  return best?.type;
}

function readMounts(): string | undefined {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return undefined;
  }
}
