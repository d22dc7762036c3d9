/** What PNG needs of zlib. Browsers get inflate-portable.ts in its place (package.json, imports). */
export { crc32, deflateSync, inflateSync } from 'node:zlib';
