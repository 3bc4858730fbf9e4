// SHA-256 (FIPS 180-4) in plain JavaScript. crypto.subtle would be faster for
// long inputs, but answers later: running hashes, blob ids and derived device ids
// are needed at once, and of short inputs.

const k = new Uint32Array(64);
const initial = new Uint32Array(8);

// The constants are the first 32 bits of the fractional parts of the roots of the
// first primes; deriving them is shorter than listing them.
for (let n = 2, found = 0; found < 64; n++) {
  let prime = true;
  for (let d = 2; d * d <= n; d++) prime &&= n % d !== 0;
  if (!prime) continue;
  if (found < 8) initial[found] = (n ** (1 / 2) % 1) * 2 ** 32;
  k[found++] = (n ** (1 / 3) % 1) * 2 ** 32;
}

const w = new Uint32Array(64);

/** The SHA-256 of the parts, one behind the other. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((n, part) => n + part.length, 0);
  const data = new Uint8Array((length + 72) & ~63);
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  data[at] = 0x80;
  const view = new DataView(data.buffer);
  view.setUint32(data.length - 8, length / 2 ** 29);
  view.setUint32(data.length - 4, length << 3);
  const h = initial.slice();
  for (let block = 0; block < data.length; block += 64) {
    compress(h, view, block);
  }
  const sum = new DataView(new ArrayBuffer(32));
  h.forEach((word, i) => sum.setUint32(4 * i, word));
  return new Uint8Array(sum.buffer);
}

function compress(h: Uint32Array, view: DataView, block: number): void {
  for (let i = 0; i < 64; i++) {
    if (i < 16) {
      w[i] = view.getUint32(block + 4 * i);
      continue;
    }
    const x = w[i - 15]!;
    const y = w[i - 2]!;
    w[i] = w[i - 16]! + w[i - 7]! + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
  }
  let [a, b, c, d, e, f, g, last] = h as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i++) {
    const t1 = (last + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + k[i]! + w[i]!) | 0;
    const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    last = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  [a, b, c, d, e, f, g, last].forEach((word, i) => (h[i]! += word));
}

/** The 32 bits of x, turned right by n. */
function turn(x: number, n: number): number {
  return (x >>> n) | (x << (32 - n));
}
