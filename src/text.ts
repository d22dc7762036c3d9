const utf8 = new TextDecoder();

/** Text of a file somebody else wrote: UTF-8, without the byte order mark that programs on Windows put first. */
export const decodeText = (bytes: Uint8Array): string => utf8.decode(bytes);
