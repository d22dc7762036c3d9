const utf8 = new TextDecoder();

/** Text of a file somebody else wrote: UTF-8, without the byte order mark that programs on Windows put first. */
export const decodeText = (bytes: Uint8Array): string => utf8.decode(bytes);

/** One round of percent-decoding; bytes that are not UTF-8 become U+FFFD, a lone `%` stays. */
export const decodePercent = (text: string): string =>
  text.replace(/(?:%[0-9A-Fa-f]{2})+/g, run =>
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(
      Uint8Array.from(run.slice(1).split('%'), hex => Number.parseInt(hex, 16)),
    ),
  );

/**
 * Names, values and messages come from anybody's files and networks: what steers a terminal or fills a log (control and
 * bidirectional-override characters) does not get out of them, but becomes `·`.
 *
 * @param blank what becomes of line breaks and tabs.
 */
export const printable = (text: string, blank: (char: string) => string = () => '·'): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, char => (char === '\n' || char === '\t' ? blank(char) : '·'));
