import type { Codec } from "./codec.js";
import type { Reader } from "./reader.js";
import { outcomes } from "./verdict.js";
import type { OpVerdict, RejectCode, Verdict } from "./verdict.js";
import type { Writer } from "./writer.js";

// A verdict is [counter, seq, result], where result is
//
//	outcome                   every op has this outcome, none was rejected
//	[outcome, [op, …]]        op by op: an outcome, or [code, message, field] if rejected
//	[code, message, field]    rejected as a whole

export const verdict: Codec<Verdict> = {
  write(w, v) {
    w.array(3);
    w.int(v.counter);
    w.int(v.seq);
    if (v.ops.length === 0) return writeOp(w, v);
    w.array(2);
    w.int(outcomes.indexOf(v.outcome));
    w.array(v.ops.length);
    for (const op of v.ops) writeOp(w, op);
  },
  read(r, field) {
    r.tuple(field, 3);
    const counter = r.uint("counter");
    const seq = r.uint("seq");
    if (r.isInt()) return { counter, seq, ...outcome(r, 3), ops: [] };
    const n = r.array("result");
    if (n !== 2) return { counter, seq, ...rejection(r, n), ops: [] };
    const whole = outcome(r, 4);
    const ops = r.list("ops", () => (r.isInt() ? outcome(r, 3) : rejection(r, r.array("op"))));
    if (ops.length === 0) r.fail("ops", "there is none");
    return { counter, seq, ...whole, ops };
  },
};

function writeOp(w: Writer, v: OpVerdict): void {
  if (v.outcome !== "rejected") return w.int(outcomes.indexOf(v.outcome));
  w.array(3);
  w.text(v.code);
  w.text(v.message);
  w.text(v.field);
}

/** An outcome up to the number `most`. */
function outcome(r: Reader, most: number): OpVerdict {
  return { outcome: outcomes[r.uint("outcome", most)]!, code: "", message: "", field: "" };
}

function rejection(r: Reader, n: number): OpVerdict {
  r.arity("result", n, 3);
  return { outcome: "rejected", code: r.text("code") as RejectCode, message: r.text("message"), field: r.text("field") };
}
