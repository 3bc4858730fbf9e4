import { decompress } from "fzstd";

// fzstd is pure JavaScript: a strict content security policy and React Native take
// it. It knows no dictionaries, so the hello asks for plain zstd. It also trusts
// what it is given; what may be given to it is checked here.

/** How many times larger than the data its content may be. */
export const maxRatio = 256;

/**
 * What data, which must be one zstd frame that declares its size, unpacks to: at
 * most `limit` bytes and `maxRatio` times the data. It throws a RangeError for
 * anything else, before anything of that size is made.
 */
export function unzstd(data: Uint8Array, limit: number): Uint8Array {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  // The magic number, then a byte of flags: what declares the size, single segment,
  // unused, reserved, checksum, dictionary.
  if (data.length < 9 || view.getUint32(0, true) !== 0xfd2fb528) refuse("it is no zstd frame");
  const flags = data[4]!;
  if ((flags & 0x20) === 0) refuse("it is not a single segment"); // its window might be larger than its content
  if (flags & 0x0b) refuse("it needs a dictionary, or a newer version");
  const width = 1 << (flags >> 6);
  let size = flags >> 6 === 1 ? 256 : 0;
  for (let i = 0; i < width; i++) size += data[5 + i]! * 256 ** i;
  if (size > limit || size > maxRatio * data.length) refuse(`${size} bytes are declared`);
  checkBlocks(data, 5 + width, flags & 4);
  const content = new Uint8Array(size);
  try {
    decompress(data, content);
  } catch (error) {
    refuse(String(error));
  }
  return content;
}

/** The blocks, and a checksum if there is one, reach to the end of the data: no other frame follows. */
function checkBlocks(data: Uint8Array, at: number, checksum: number): void {
  for (let last = 0; !last; ) {
    if (at + 3 > data.length) refuse("it is cut off");
    const head = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16);
    last = head & 1;
    // A block of one repeated byte has that alone.
    at += 3 + (((head >> 1) & 3) === 1 ? 1 : head >> 3);
  }
  if (at + checksum !== data.length) refuse("it does not end where its blocks do");
}

function refuse(why: string): never {
  throw new RangeError(`zstd: ${why}`);
}
