// The service worker: it lets the page open without a network. The page itself
// is asked for anew whenever the gateway answers; assets are named by their
// contents, so what is cached of them is right for ever.
export {}; // a module of its own for the compiler

declare const self: ServiceWorkerGlobalScope;
declare const RELEASE: string;
declare const ASSETS: readonly string[];

const cacheName = `board-${RELEASE}`;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(cacheName)
      .then((cache) => cache.addAll(["/", ...ASSETS]))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith("board-") && name !== cacheName).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname === "/" && request.mode === "navigate") event.respondWith(page(request));
  else if (ASSETS.includes(url.pathname)) event.respondWith(asset(request));
});

/** The page of now, or the one of the last visit if the gateway does not answer. */
async function page(request: Request): Promise<Response> {
  try {
    const response = await fetch(request);
    if (response.ok) return response;
  } catch {
    // Offline, or the gateway is down.
  }
  // What is asked for after the "?" is the page's business.
  return (await caches.match("/")) ?? Response.error();
}

async function asset(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? fetch(request);
}
