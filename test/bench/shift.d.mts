/** See shift.mjs. */
export function shiftAgreement(options: {
  readonly model: string;
  readonly cacheFolder?: string;
  readonly slide?: string;
  readonly norms?: readonly ('patch' | 'frozen')[];
  readonly engine?: string;
}): Promise<{ readonly patch: number; readonly frozen: number }>;
