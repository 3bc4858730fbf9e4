/** Gives a user's tokens: those of development mode, which this gateway gives to its own page. */
export function tokens(user: string): () => Promise<string> {
  return async () => {
    const response = await fetch(`/demo/token?user=${encodeURIComponent(user)}`, { method: "POST" });
    if (!response.ok) throw new Error(`no token: ${await response.text()}`);
    const { token } = (await response.json()) as { token: string };
    return token;
  };
}
