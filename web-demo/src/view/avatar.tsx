/** How many colours people have; style/people.css names them. */
const colours = 6;

/** A person's colour: the same on every device. */
export function colourOf(user: string): string {
  let sum = 7;
  for (const letter of user) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973;
  return `person-${sum % colours}`;
}

/** A person's initials in their colour. */
export function Avatar({ user, title = user }: { user: string; title?: string }) {
  const words = user.trim().split(/\s+/);
  const initials = [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...(word ?? "")][0] ?? "").join("");
  return (
    <span class={`avatar ${colourOf(user)}`} role="img" aria-label={title} title={title}>
      {initials.toLocaleUpperCase()}
    </span>
  );
}
