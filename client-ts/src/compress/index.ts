// Unpacking of compressed deliveries. It is loaded on demand: it weighs 3.8 kB
// (min+gz), and nothing needs it before the first delivery. A page shows what its
// store has meanwhile, and who cannot load it says so in the hello and gets plain
// frames. It unpacks about 50 MB a second.
//
// Uploads are sent plain. There is no zstd encoder in pure JavaScript, and the
// gateway takes nothing else. What one would save: nothing of a mutation alone
// (78 bytes, deflated 78), 29 % of five in a push, 50 % of twenty, 71 % of the
// hundred that somebody has made offline (7.3 kB, deflated 2.1 kB). That is a few
// kilobytes after a day offline, for an encoder that would weigh as much on every
// first load.

/** The largest content of a compressed frame, in bytes. */
const limit = 16 << 20;

/** What a core's config takes. */
export interface Unpacking {
  readonly compression: readonly string[];
  readonly decompress: (dictionary: number, data: Uint8Array) => Uint8Array;
}

/** Loads what can unpack; undefined if it cannot be had, and plain frames must do. */
export async function loadUnpacking(): Promise<Unpacking | undefined> {
  try {
    const { unzstd } = await import("./zstd.js");
    return {
      compression: ["zstd"],
      decompress(dictionary, data) {
        if (dictionary !== 0) throw new RangeError(`zstd: there is no dictionary ${dictionary}`);
        return unzstd(data, limit);
      },
    };
  } catch {
    return undefined;
  }
}
