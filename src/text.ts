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

/** Breaks a text into lines of at most `width` characters, at spaces; lines after the first are indented. Longer words stand alone. */
export function wrapped(text: string, width: number, indent = 0): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && longer.length > width) {
      lines.push(line);
      line = `${' '.repeat(indent)}${word}`;
    } else line = longer;
  }
  return [...lines, line];
}

/** A message without the folders of this machine: of an absolute path the last name stays. Addresses keep their slashes. */
export const withoutFolders = (text: string): string => text.replace(/(?<![\w.:/])\/(?:[^:\n]*\/)?(?=[^\s/])/g, '');
