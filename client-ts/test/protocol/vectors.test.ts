import { Buffer } from "node:buffer";
import {
  checkName,
  checkSpaceName,
  closeAction,
  closeCode,
  compareBytes,
  decodeDelivery,
  decodeMessage,
  decodeMutation,
  decodeValue,
  encodeMessage,
  encodeMutation,
  encodeValue,
  fromHex,
  NameTable,
  nextHash,
  ProtocolError,
  toHex,
} from "../../src/protocol/index.js";
import { changeKinds, fieldChangeKinds, fieldKinds, opKinds, outcomes, subscribeModes } from "../../src/protocol/index.js";
import type { Frame, NameKind, Writable } from "../../src/protocol/index.js";
import { encodeDelivery } from "../../src/protocol/delivery_write.js";
import { decodeClientMessage } from "../../src/protocol/scan.js";
import { runVectors, tagged, untagged } from "../vectors.js";

const dir = "protocol/testdata/vectors";

function refused(run: () => unknown): ProtocolError {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

/** A structure as vectors show it: kinds as numbers, values tagged, byte strings in hex. */
function shown(x: any, key = ""): any {
  if (key === "value" || key === "was" || key === "base") return tagged(x);
  if (x instanceof Uint8Array) return toHex(x);
  if (Array.isArray(x)) return x.map((e) => shown(e));
  if (typeof x !== "object" || x === null) return x;
  const object: any = {};
  for (const [name, v] of Object.entries(x)) object[name] = shown(v, name);
  if (x.mode !== undefined) object.mode = subscribeModes.indexOf(x.mode);
  if (x.outcome !== undefined) object.outcome = outcomes.indexOf(x.outcome);
  return object;
}

function shownField(f: any): any {
  return { ...shown(f), kind: fieldKinds.indexOf(f.kind) };
}

function shownFrame(f: Frame): any {
  const object = shown(f);
  if (f.frame === "page") {
    object.records = f.records.map((r) => ({ ...shown(r), fields: r.fields.map(shownField) }));
  }
  if (f.frame === "section") {
    object.deltas = f.deltas.map((d) => ({
      mutation: d.mutation,
      changes: d.changes.map((c) => ({
        ...shown(c),
        kind: changeKinds.indexOf(c.kind),
        fields: c.fields.map((field) => ({ ...shown(field), kind: fieldChangeKinds.indexOf(field.kind) })),
      })),
    }));
  }
  return object;
}

/** In vectors, every op has every part. */
function shownMutation(m: any): any {
  return {
    ...shown(m),
    base: m.base,
    ops: m.ops.map((op: any) => ({ fields: [], field: "", element: "", position: "", ...shown(op), kind: opKinds.indexOf(op.kind) + 1 })),
  };
}

runVectors(`${dir}/values.json`, (_given, input, want) => {
  try {
    const v = decodeValue(fromHex(input));
    const again = toHex(encodeValue(untagged(want.value)));
    return { canonical: toHex(encodeValue(v)) === again ? again : "another", value: tagged(v) };
  } catch (error) {
    return { refused: (error as ProtocolError).refusal };
  }
});

runVectors(`${dir}/frames.json`, (_given, input) => {
  const frames = decodeMessage(fromHex(input));
  const control = frames.every((f) => !["commit", "section", "page"].includes(f.frame));
  const again = control ? encodeMessage(...(frames as Writable[])) : Buffer.concat([fromHex("10"), encodeDelivery(frames)]);
  return toHex(again) === input ? frames.map(shownFrame) : toHex(again);
});

runVectors(`${dir}/pages.json`, (given, input) => {
  const table = new NameTable(given.names);
  const frames = decodeMessage(fromHex(input), { names: () => table });
  return { frames: frames.map(shownFrame), names: table.names };
});

runVectors(`${dir}/mutations.json`, (_given, input) => {
  const m = decodeMutation(fromHex(input));
  const again = toHex(encodeMutation(m));
  return again === input ? shownMutation(m) : again;
});

runVectors(`${dir}/hashchain.json`, (given, input: string[]) => {
  let hash = given.hash;
  return input.map((body) => (hash = nextHash(hash, fromHex(body))));
});

runVectors(`${dir}/commits.json`, (given, input, want) => {
  // A client needs the wire part alone, which stands behind its length.
  const stored = fromHex(input);
  let at = 1;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const b = stored[at++]!;
    length += (b & 0x7f) * 2 ** shift;
    if (b < 0x80) break;
  }
  const wire = stored.subarray(at, at + length);
  const table = new NameTable(given.names);
  const frames = decodeDelivery(wire, table);
  const again = encodeDelivery(frames, table);
  for (const notice of want.notices) decodeDelivery(fromHex(notice.frame));
  return {
    ...want,
    names: table.names,
    wire: compareBytes(wire, again) === 0 ? toHex(wire) : toHex(again),
    frames: frames.map(shownFrame),
  };
});

runVectors(`${dir}/errors.json`, (given, input) => {
  const hex = typeof input === "string" ? input : input.map((part: any) => (typeof part === "string" ? part : part[0].repeat(part[1]))).join("");
  const data = fromHex(hex);
  const decode = { "client message": decodeClientMessage, message: decodeMessage, mutation: decodeMutation }[given.decoder as string]!;
  return { code: refused(() => decode(data)).code };
});

runVectors(`${dir}/codes.json`, (_given, input) => {
  const close = closeCode(input);
  return close === undefined ? {} : { close, action: closeAction(close) };
});

runVectors(`${dir}/names.json`, (given, input) => {
  try {
    if (given.kind === "space") checkSpaceName(input);
    else checkName(given.kind as NameKind, input);
    return true;
  } catch {
    return false;
  }
});
