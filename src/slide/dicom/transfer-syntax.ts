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
