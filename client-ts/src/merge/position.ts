// Positions order the elements of a list. They are fractional indexes as David
// Greenspan describes them ("Implementing Fractional Indexing", 2020): an
// integer part whose first character says how long it is, so that appending and
// prepending grow a position only logarithmically, and a fraction that takes a
// place between two neighbours. Positions are ASCII and compare as bytes.

/** In byte order. */
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** The least of all integer parts. By itself it is no position: nothing would go before it. */
const leastInteger = "A" + "0".repeat(26);

/**
 * A position greater than a and less than b. An empty a or b leaves that end open:
 * between("", "") starts a list, between(last, "") appends. An a or b that is not a
 * position counts as empty, and so does a b that is not greater than a. The result
 * grows by one byte for about six elements put one after another into the same
 * gap.
 */
export function between(a: string, b: string): string {
  if (!isPosition(a)) a = "";
  if (!isPosition(b) || b <= a) b = "";
  const [wholeA, fractionA] = split(a);
  const [wholeB, fractionB] = split(b);
  if (a === "") {
    if (b === "") return "a0";
    if (wholeB === leastInteger) return wholeB + midpoint("", fractionB);
    return fractionB === "" ? decrement(wholeB) : wholeB;
  }
  if (wholeA === wholeB) return wholeA + midpoint(fractionA, fractionB);
  const more = step(wholeA, 1);
  return more !== "" && (b === "" || more < b) ? more : wholeA + midpoint(fractionA, "");
}

/**
 * Whether s is a position: an integer part of the length that its first character
 * announces, then a fraction that does not end in "0", so that there is always room
 * before it.
 */
export function isPosition(s: string): boolean {
  const [whole, fraction] = split(s);
  return whole !== "" && /^.[0-9A-Za-z]*$/s.test(s) && s !== leastInteger && !fraction.endsWith("0");
}

/** The length of an integer part that begins with head: a is 2 long, b 3, … z 27; Z is 2 long, Y 3, … A 27. */
function integerLength(head: string): number {
  const code = head.charCodeAt(0);
  return head >= "a" && head <= "z" ? code - 95 : head >= "A" && head <= "Z" ? 92 - code : 0;
}

/** The integer part and the fraction; empty if there is no whole integer part. */
function split(s: string): [whole: string, fraction: string] {
  const n = integerLength(s[0] ?? "");
  return s.length < n ? ["", ""] : [s.slice(0, n), s.slice(n)];
}

/**
 * The integer part after (step 1) or before (step −1) another; empty if there is
 * none after it. There is always one before it, since the least has no such.
 */
function step(whole: string, step: 1 | -1): string {
  const end = step > 0 ? "0" : "z";
  for (let i = whole.length - 1; i > 0; i--) {
    const digit = digits[digits.indexOf(whole[i]!) + step];
    if (digit) return whole.slice(0, i) + digit + end.repeat(whole.length - i - 1);
  }
  const head = whole[0]!;
  if (step > 0 && head === "z") return "";
  const next = step > 0 && head === "Z" ? "a" : step < 0 && head === "a" ? "Z" : String.fromCharCode(head.charCodeAt(0) + step);
  return next + end.repeat(integerLength(next) - 1);
}

/** A position less than whole, which is not the least integer part. */
function decrement(whole: string): string {
  const less = step(whole, -1);
  return less === leastInteger ? less + midpoint("", "") : less;
}

/** A fraction between a and b, neither ending in "0"; an empty b stands for one. a < b. */
function midpoint(a: string, b: string): string {
  // Keep the common prefix; a counts as padded with zeros.
  let n = 0;
  while (n < b.length && (a[n] ?? "0") === b[n]) n++;
  if (n > 0) return b.slice(0, n) + midpoint(a.slice(n), b.slice(n));
  const low = digits.indexOf(a[0] ?? "0");
  const high = b === "" ? 62 : digits.indexOf(b[0]!);
  if (high - low > 1) return digits[(low + high) >> 1]!;
  // The first digits are consecutive.
  return b.length > 1 ? b[0]! : digits[low] + midpoint(a.slice(1), "");
}
