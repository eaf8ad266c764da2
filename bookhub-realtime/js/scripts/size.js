// Fails when the module has grown past 4 KiB, as `gzip -9` leaves it.

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT = 4096;

const module = readFileSync(new URL('../dist/index.js', import.meta.url));
const size = gzipSync(module, { level: 9 }).length;
process.stdout.write(`dist/index.js: ${module.length} bytes, ${size} compressed, of at most ${LIMIT}\n`);
if (size > LIMIT) process.exitCode = 1;
