import { list, parts, text, uint, word } from "./codec.js";
import type { Codec } from "./codec.js";
import { outcomes } from "./verdict.js";
import type { OpVerdict, Verdict } from "./verdict.js";

// A verdict is [counter, seq, result], where result is
//
//	outcome                   every op has this outcome, none was rejected
//	[outcome, [op, …]]        op by op: an outcome, or [code, message, field] if rejected
//	[code, message, field]    rejected as a whole

const whole = word(outcomes);
const rejection = parts({ code: text, message: text, field: text }) as ReturnType<typeof parts<OpVerdict>>;

/** `n` is the length of the array that was begun; −1 if none was. */
const op = {
  write(w, v) {
    if (v.outcome !== "rejected") return whole.write(w, v.outcome);
    w.array(3);
    rejection.write(w, v);
  },
  read(r, n = r.isInt() ? -1 : r.array()): OpVerdict {
    if (n >= 0) return rejection.read(r, n, { outcome: "rejected" });
    return { outcome: outcomes[r.int(0, 3)]!, code: "", message: "", field: "" };
  },
} satisfies Codec<OpVerdict>;
const ops = list<OpVerdict>(op);

export const verdict: Codec<Verdict> = {
  write(w, v) {
    w.array(3);
    w.int(v.counter);
    w.int(v.seq);
    if (v.ops.length === 0) return op.write(w, v);
    w.array(2);
    whole.write(w, v.outcome);
    ops.write(w, v.ops);
  },
  read(r) {
    r.arity(3);
    const id = { counter: uint.read(r), seq: uint.read(r) };
    const n = r.isInt() ? -1 : r.array();
    if (n !== 2) return { ...id, ...op.read(r, n), ops: [] };
    const outcome = whole.read(r);
    const each = ops.read(r);
    if (each.length === 0) r.fail("there are no ops");
    return { ...id, outcome, code: "", message: "", field: "", ops: each };
  },
};
