/** The package has no types; this is the part of its Emscripten module that is used. */
declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  export interface J2KDecoder {
    /** Memory for the codestream. */
    getEncodedBuffer(length: number): Uint8Array;
    /** Interleaved samples of the last decode. */
    getDecodedBuffer(): Uint8Array;
    decode(): void;
  }
  export interface OpenJpeg {
    readonly J2KDecoder: new () => J2KDecoder;
  }
  export default function createOpenJpeg(options: {
    print(line: string): void;
    printErr(line: string): void;
  }): Promise<OpenJpeg>;
}
