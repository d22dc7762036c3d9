/** What the server says, as the page uses it; /api/openapi.json has all of it. */

export interface Status {
  readonly slide: string;
  readonly state: 'open' | 'completed' | 'incomplete' | 'failed';
  readonly revision: number;
  readonly patches: Readonly<Record<'expected' | 'segmented' | 'empty' | 'missing' | 'failed', number>>;
  readonly area: {
    readonly stromaMm2: number;
    readonly tissueMm2: number;
    readonly stromaFraction: number;
    readonly missingMm2?: number;
  };
  readonly iou: { readonly value: number | null } | null;
  readonly patchesPerSecond: number;
  readonly etaSeconds: number | null;
  /** RFC 3339. */
  readonly updatedAt: string | null;
  readonly model: string | null;
  readonly notes: readonly { readonly code: string; readonly message: string }[];
  readonly error: { readonly code: string; readonly fix: string } | null;
}

export interface Grid {
  readonly cols: number;
  readonly rows: number;
  /** Side of a patch's mask in mask pixels. */
  readonly side: number;
  /** Level-0 pixels per mask pixel. */
  readonly downsample: number;
}

export interface Slide extends Status {
  readonly shape: { readonly width: number; readonly height: number; readonly mpp: number; readonly grid: Grid } | null;
  readonly picture: { readonly tile: number; readonly levels: number } | null;
  readonly mask: { readonly tile: number; readonly levels: number; readonly coarse: number } | null;
  /** Probabilities are kept, and the mask is cut at this, 0–1. */
  readonly probability: { readonly threshold: number } | null;
  readonly codes: string | null;
  readonly position: string;
}

export interface Changes {
  readonly patches: readonly (readonly [col: number, row: number, code: number])[];
  /** Thumbnails: packed bits in base64. */
  readonly masks: readonly (readonly [col: number, row: number, bits: string])[];
}

export const slideUrl = (slide: string, below = ''): string => `../api/slides/${encodeURIComponent(slide)}${below}`;

/** The server's clock less this one's: they may be minutes apart. */
let ahead = 0;

export const serverTime = (): number => Date.now() + ahead;

export async function getJson<T>(url: string): Promise<T> {
  const answer = await fetch(url);
  const time = Date.parse(answer.headers.get('date') ?? '');
  if (time > 0) ahead = time - Date.now();
  if (!answer.ok) throw new Error(`${answer.status}`);
  return (await answer.json()) as T;
}

export const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), char => char.charCodeAt(0));
