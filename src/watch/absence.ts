/** What the system says of a name that is not there. Any other error says nothing of the file: its share does not answer. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR']);

/** True when an error means that there is no such file, not that nobody can tell. */
export const isAbsence = (error: unknown): boolean => ABSENT.has(codeOf(error) ?? '');

/** In a line: what of a folder that cannot be looked into. */
export function reasonOf(folder: string, error: unknown): string {
  const code = codeOf(error);
  if (code === 'ENOENT') return `${folder}: is not there`;
  if (code === 'ENOTDIR') return `${folder}: is no folder`;
  return `${folder}: cannot be looked into (${code ?? String(error)})`;
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;
