// What React Native does not have is taken away before anything else is loaded.
for (const name of ["WebAssembly", "indexedDB", "IDBFactory", "BroadcastChannel", "navigator", "localStorage", "location", "document", "window"]) {
  Reflect.deleteProperty(globalThis, name);
}
