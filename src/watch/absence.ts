/** What the system says of a name that is not there. Any other error says nothing of the file: its share does not answer. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR']);

/** True when an error means that there is no such file, not that nobody can tell. */
export const isAbsence = (error: unknown): boolean => ABSENT.has(codeOf(error) ?? '');

/** What the system says of a file for good, until somebody changes it. */
const FINAL = new Set([...ABSENT, 'EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'EINVAL', 'ENXIO']);

/** True where the system's error, or the cause of another one, says nothing of the file: its share does not answer as it should. */
export function isPassing(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if ('syscall' in at) return !FINAL.has(codeOf(at) ?? '');
  return false;
}

/** In a line: what of a folder that cannot be looked into. */
export function reasonOf(folder: string, error: unknown): string {
  const code = codeOf(error);
  if (code === 'ENOENT') return `${folder}: is not there`;
  if (code === 'ENOTDIR') return `${folder}: is no folder`;
  return `${folder}: cannot be looked into (${code ?? String(error)})`;
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;
