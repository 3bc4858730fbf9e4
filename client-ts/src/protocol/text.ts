// UTF-8, strictly and without TextDecoder: most strings here are so short that
// the call costs more than the work, and React Native's engine has none.

/** The string that the bytes are; undefined if they are not valid UTF-8. */
export function decodeText(data: Uint8Array, from: number, to: number): string | undefined {
  let i = from;
  while (i < to && data[i]! < 0x80) i++;
  if (i === to) return fromUnits(data.subarray(from, to));
  const units: number[] = [];
  for (i = from; i < to; ) {
    const c = data[i++]!;
    if (c < 0x80) {
      units.push(c);
      continue;
    }
    // How many bytes follow; 0 for those that begin nothing.
    const more = c < 0xc2 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 0;
    if (more === 0 || to - i < more) return undefined;
    let point = c & (0x3f >> more);
    for (const end = i + more; i < end; i++) {
      if ((data[i]! & 0xc0) !== 0x80) return undefined;
      point = (point << 6) | (data[i]! & 0x3f);
    }
    // Longer than it need be, half of a surrogate pair, or beyond the last plane.
    if ((more === 2 && (point < 0x800 || point >> 11 === 0x1b)) || (more === 3 && (point < 0x10000 || point > 0x10ffff))) {
      return undefined;
    }
    if (point < 0x10000) units.push(point);
    else units.push(0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff));
  }
  return fromUnits(units);
}

/** The string of these UTF-16 code units; in parts, since calls take only so many arguments. */
export function fromUnits(units: number[] | Uint8Array): string {
  let text = "";
  for (let i = 0; i < units.length; i += 4096) {
    text += String.fromCharCode.apply(null, (units.length > 4096 ? units.slice(i, i + 4096) : units) as number[]);
  }
  return text;
}

/** How many bytes of UTF-8 the string has; −1 if half of a surrogate pair stands in it. */
export function textSize(text: string): number {
  let size = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    size += unit < 0x800 ? 1 : 2;
    if (unit >> 11 !== 0x1b) continue;
    // A pair is two units and four bytes.
    if (unit >= 0xdc00 || text.charCodeAt(++i) >> 10 !== 0x37) return -1;
  }
  return size;
}

/** Writes the UTF-8 of a string without half pairs at `at`. */
export function writeText(text: string, into: Uint8Array, at: number): void {
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i)!;
    if (point < 0x80) {
      into[at++] = point;
    } else if (point < 0x800) {
      into[at++] = 0xc0 | (point >> 6);
      into[at++] = 0x80 | (point & 0x3f);
    } else {
      if (point < 0x10000) {
        into[at++] = 0xe0 | (point >> 12);
      } else {
        i++;
        into[at++] = 0xf0 | (point >> 18);
        into[at++] = 0x80 | ((point >> 12) & 0x3f);
      }
      into[at++] = 0x80 | ((point >> 6) & 0x3f);
      into[at++] = 0x80 | (point & 0x3f);
    }
  }
}

/**
 * Compares strings as their UTF-8 bytes compare, which is how everything here is
 * ordered. It differs from `<` in that what lies beyond the first plane comes
 * last.
 */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

// Surrogates stand below U+E000 among code units, but what they make comes last.
function rank(unit: number): number {
  return unit >> 11 === 0x1b ? unit + 0x10000 : unit;
}
