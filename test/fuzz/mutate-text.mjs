import { mutateBytes, pick } from './mutate.mjs';

/**
 * Damages text by its tokens, so that most of it still parses: numbers, names, quotes and brackets are changed, moved,
 * repeated, nested and multiplied; now and then bytes are damaged instead.
 *
 * @param {Buffer} seed
 * @param {import('#src/random.js').Random} random
 * @param {{ others: readonly Buffer[], places: readonly number[] }} hints
 * @returns {Buffer}
 */
export function mutateText(seed, random, hints) {
  if (random.below(8) === 0) return mutateBytes(seed, random, hints);
  let tokens = tokenise(seed.toString('utf8'));
  for (let more = 1 + random.below(4); more > 0; more--) {
    if (tokens.length === 0) break;
    tokens = pick(random, OPERATIONS)(tokens, random, hints);
  }
  return Buffer.from(tokens.join(''));
}

const TOKEN = /-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[\p{L}_][\p{L}\p{N}_.-]*|\s+|./gsu;

const tokenise = text => text.match(TOKEN) ?? [];

/** What numbers, names and lists may turn into. */
const REPLACEMENTS = [
  '0',
  '-0',
  '-1',
  '1',
  '255',
  '256',
  '32',
  '0.5',
  '1e308',
  '-1e308',
  '1e-320',
  '1e999',
  '4294967295',
  '4294967296',
  '9007199254740993',
  '99999999999999999999',
  '16777216',
  '16777217',
  '0x10',
  'NaN',
  'Infinity',
  'null',
  'true',
  'false',
  '""',
  '"7"',
  '{}',
  '[]',
  '[[]]',
  '{"__proto__":{"x":1}}',
  '__proto__',
  'constructor',
  '../',
  '..',
  '/etc/passwd',
  '\\u0000',
  '\0',
  '\ufeff',
  '\ud800',
  '\u202e',
  '{col}',
  '{row}',
  '{',
  '}',
  '[',
  ']',
  '<',
  '>',
  '/>',
  '"',
  "'",
  '&#x41;',
  '&#9999999;',
  '&amp;',
  ',',
  ':',
  '-',
  ' ',
  '\n',
];

const OPERATIONS = [replace, replace, replace, swapKinds, swapKinds, remove, duplicate, move, nest, swell, cut, splice];

const spanOf = (tokens, random) => {
  const at = random.below(tokens.length);
  return [at, Math.min(tokens.length, at + 1 + random.below(1 << random.below(7)))];
};

function replace(tokens, random) {
  tokens[random.below(tokens.length)] = pick(random, REPLACEMENTS);
  return tokens;
}

/** A token takes the place of another: a name that of a number, a value that of another value. */
function swapKinds(tokens, random) {
  tokens[random.below(tokens.length)] = tokens[random.below(tokens.length)];
  return tokens;
}

function remove(tokens, random) {
  tokens.splice(spanOf(tokens, random)[0], 1 + random.below(8));
  return tokens;
}

function duplicate(tokens, random) {
  const [from, to] = spanOf(tokens, random);
  return [...tokens.slice(0, to), ...tokens.slice(from, to), ...tokens.slice(to)];
}

function move(tokens, random) {
  const [from, to] = spanOf(tokens, random);
  const span = tokens.splice(from, to - from);
  const at = random.below(tokens.length + 1);
  return [...tokens.slice(0, at), ...span, ...tokens.slice(at)];
}

/** Deep nesting: parsers that call themselves run out of stack. */
function nest(tokens, random) {
  const [open, close] = pick(random, [
    ['[', ']'],
    ['{"a":', '}'],
    ['<a>', '</a>'],
    ['[{"type":"Feature","geometry":', '}]'],
  ]);
  const depth = 1 << random.below(16);
  const [from, to] = spanOf(tokens, random);
  return [
    ...tokens.slice(0, from),
    open.repeat(depth),
    ...tokens.slice(from, to),
    close.repeat(depth),
    ...tokens.slice(to),
  ];
}

/** One span many times over: what takes more than linear time shows. */
function swell(tokens, random) {
  if (random.below(4) > 0) return tokens;
  const [from, to] = spanOf(tokens, random);
  const span = tokens.slice(from, to).join('') || ' ';
  const size = 1 << (10 + random.below(11));
  return [
    ...tokens.slice(0, from),
    span.repeat(Math.ceil(size / span.length)),
    ...tokens.slice(random.below(2) === 0 ? to : tokens.length),
  ];
}

function cut(tokens, random) {
  return tokens.slice(0, random.below(tokens.length + 1));
}

function splice(tokens, random, { others }) {
  const other = tokenise(pick(random, others).toString('utf8'));
  return [...tokens.slice(0, random.below(tokens.length + 1)), ...other.slice(random.below(other.length + 1))];
}
