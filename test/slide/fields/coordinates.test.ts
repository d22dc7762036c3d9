import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCoordinates } from '#src/slide/fields/coordinates.js';
import { failureOf } from '../fixture.js';

const SQUID = 'region,fov,z_level,x (mm),y (mm),z (um),time\n';
const parse = (text: string, over = true) => parseCoordinates('coordinates.csv', text, over);

describe('coordinates.csv', () => {
  it('of a time point says which field is where', () => {
    expect(parse(`${SQUID}A1,0,0,10.5,-2,900,x\nA1,0,1,10.5,-2,901,x\nB 2,3,0,1e-3,0,9,x\n`)).toEqual({
      kind: 'visited',
      unit: 'mm',
      rows: [
        { region: 'A1', fov: 0, z: 0, file: undefined, x: 10.5, y: -2 },
        { region: 'A1', fov: 0, z: 1, file: undefined, x: 10.5, y: -2 },
        { region: 'B 2', fov: 3, z: 0, file: undefined, x: 0.001, y: 0 },
      ],
    });
  });

  it('of a plan counts the fields of each region', () => {
    const { kind, rows } = parse('region,x (mm),y (mm),z (mm)\nA1,1,1,\nB1,2,2,\nA1,3,3,\n')!;
    expect(kind).toBe('plan');
    expect(rows.map(({ region, fov }) => [region, fov])).toEqual([['A1', 0], ['B1', 0], ['A1', 1]]); // biome-ignore format: short
  });

  it('of files has pixels or millimetres, in any order of columns, with quotes, CRLF and a BOM', () => {
    expect(parse('\uFEFFy,file,x\r\n7,"a ""b"", c.png",5\r\n')).toEqual({
      kind: 'files',
      unit: 'px',
      rows: [{ region: '', fov: 0, z: undefined, file: 'a "b", c.png', x: 5, y: 7 }],
    });
    expect(parse('file,x (mm),y (mm)\nsub/a.png,5,7\n')!.unit).toBe('mm');
  });

  it.each(['', 'a,b\n1,2\n', 'file,x\n', 'region,fov\n', 'x,y\n1,2\n'])('about something else is none: %j', text => {
    expect(parse(text)).toBeUndefined();
  });

  it.each(['../a.png', '/etc/passwd', 'a/../../b', 'a\\b.png', '.hidden', 'a//b', '', 'a#b', `${'n'.repeat(201)}.png`])(
    'names no file outside its folder: %j',
    async file => {
      expect((await failureOf(() => parse(`file,x,y\n${file},0,0\n`))).code).toBe('SLIDE_UNREADABLE');
    },
  );

  it.each([
    'A1,0,0,x,1,1,t',
    'A1,0,0,,1,1,t',
    'A1,-1,0,1,1,1,t',
    'A1,0.5,0,1,1,1,t',
    '../A,0,0,1,1,1,t',
    'A1,0,0,1',
    'A1,0,0,1e99,1,1,t',
  ])('has no such row: %j', async row => {
    const { code, message } = await failureOf(() => parse(`${SQUID}A1,0,0,1,1,1,t\n${row}\n`));
    expect(code).toBe('SLIDE_UNREADABLE');
    expect(message).toContain('row 2');
  });

  it('is read up to the last whole row, wherever it is torn', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.nat(99),
            fc.double({ min: -9, max: 9, noNaN: true }),
            fc.double({ min: -9, max: 9, noNaN: true }),
          ),
          {
            maxLength: 12,
          },
        ),
        fc.nat(600),
        (rows, cut) => {
          const lines = rows.map(([fov, x, y]) => `A1,${fov},0,${x},${y},0,t\n`);
          const text = SQUID + lines.join('');
          const torn = text.slice(0, Math.max(SQUID.length, cut));
          let whole = 0;
          for (let end = SQUID.length; whole < lines.length; whole++) {
            end += lines[whole]!.length;
            if (end > torn.length) break;
          }
          const read = parse(torn, false)!.rows;
          expect(read.map(({ fov, x, y }) => [fov, x, y])).toEqual(
            rows.slice(0, whole).map(([fov, x, y]) => [fov, x + 0, y + 0]),
          );
          expect(parse(text.trimEnd(), true)!.rows).toHaveLength(rows.length);
        },
      ),
    ));

  it('may be any text', () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map(text => SQUID + text),
          fc.string().map(text => `file,x,y\n${text}`),
        ),
        fc.boolean(),
        (text, over) => {
          try {
            parse(text, over);
          } catch (error) {
            expect(error).toMatchObject({ code: 'SLIDE_UNREADABLE' });
          }
        },
      ),
    ));
});
