/** How an instance stores its frames. */
export type FrameCodec = 'none' | 'deflate' | 'jpeg' | 'jpeg2000';

export interface TransferSyntax {
  readonly explicit: boolean;
  /** The whole data set is one deflate stream. */
  readonly deflated: boolean;
  /** Frames lie in items of their own; else one behind the other. */
  readonly encapsulated: boolean;
  readonly codec: FrameCodec;
  /** For people. */
  readonly name: string;
  /** Absent: this reader decodes it. */
  readonly unsupported?: true;
}

const native = { explicit: true, deflated: false, encapsulated: false, codec: 'none', name: 'none' } as const;
const jpeg = { explicit: true, deflated: false, encapsulated: true, codec: 'jpeg', name: 'JPEG' } as const;
const jpeg2000 = { ...jpeg, codec: 'jpeg2000', name: 'JPEG 2000' } as const;

/** DICOM PS3.6, table A-1: those a slide is stored in and this reader can decode. */
export const TRANSFER_SYNTAXES: Readonly<Record<string, TransferSyntax>> = {
  '1.2.840.10008.1.2': { ...native, explicit: false },
  '1.2.840.10008.1.2.1': native,
  '1.2.840.10008.1.2.1.99': { ...native, deflated: true, name: 'deflate' },
  '1.2.840.10008.1.2.8.1': { ...jpeg, codec: 'deflate', name: 'deflate' },
  '1.2.840.10008.1.2.4.50': jpeg,
  '1.2.840.10008.1.2.4.51': jpeg,
  '1.2.840.10008.1.2.4.90': jpeg2000,
  '1.2.840.10008.1.2.4.91': jpeg2000,
};

/** The one in which even elements cannot be read: it was retired before slides were stored in DICOM. */
const BIG_ENDIAN = '1.2.840.10008.1.2.2';

/** Names of what this reader does not decode; of others the number is the name. */
const OTHERS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^1\.2\.840\.10008\.1\.2\.5$/, 'RLE'],
  [/^1\.2\.840\.10008\.1\.2\.4\.(57|70)$/, 'lossless JPEG'],
  [/^1\.2\.840\.10008\.1\.2\.4\.8[01]$/, 'JPEG-LS'],
  [/^1\.2\.840\.10008\.1\.2\.4\.1[01]\d(\.\d)?$/, 'JPEG XL or video'],
  [/^1\.2\.840\.10008\.1\.2\.4\.20[123]$/, 'HTJ2K'],
];

/**
 * How a data set is written. Compressed ones are in explicit VR, whatever the compression (PS3.5, A.4): what an instance is can be
 * read of those whose pixels cannot be.
 *
 * @returns undefined for big-endian data sets, and for no UID.
 */
export function transferSyntax(uid: string): TransferSyntax | undefined {
  const known = TRANSFER_SYNTAXES[uid];
  if (known || uid === BIG_ENDIAN || !/^[\d.]{1,64}$/.test(uid)) return known;
  const name = OTHERS.find(([pattern]) => pattern.test(uid))?.[1];
  return { ...jpeg, codec: 'none', name: name ? `${name}, ${uid}` : uid, unsupported: true };
}
