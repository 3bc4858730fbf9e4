import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { announcement } from "./announce.js";
import { measure } from "./convergence.js";
import { startDevice } from "./device.js";
import type { Device } from "./device.js";
import { placeOf } from "./place.js";
import { applyTheme, nextTheme, theme } from "./theme.js";
import { Drawer } from "./view/drawer.js";
import type { Looked } from "./view/drawer.js";
import { Guide } from "./view/guide.js";
import { Icon } from "./view/icons.js";
import { Pane } from "./view/pane.js";
import { useWatch } from "./view/watch.js";

const guideKey = "guide-hidden";

function App({ devices, space }: { devices: readonly Device[]; space: string }) {
  const [drawer, setDrawer] = useState(false);
  const [looked, setLooked] = useState<Looked>();
  const [guide, setGuide] = useState(devices.length > 1 && localStorage.getItem(guideKey) === null);
  const said = useWatch(announcement);
  const chosen = useWatch(theme);
  useEffect(() => applyTheme(chosen), [chosen]);
  return (
    <>
      <header class="top">
        <h1>
          <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
            <path d="M4 12c4-4.500 8-4.500 12 0s8 4.500 12 0M4 21c4-4.500 8-4.500 12 0s8 4.500 12 0" />
          </svg>
          Tidegate
        </h1>
        <p class="quiet">
          <span class="wide-only">A board that nobody's edit gets lost on · </span>space <code>{space}</code>
        </p>
        <button type="button" data-testid="drawer-open" aria-expanded={drawer} onClick={() => setDrawer(!drawer)}>
          <Icon name="pulse" /> <span class="wide-only">Under the hood</span>
        </button>
        <button type="button" class="ghost" data-testid="theme" aria-label={`Theme: ${chosen}`} title={`Theme: ${chosen}`} onClick={() => theme.set(nextTheme(chosen))}>
          <Icon name={chosen === "dark" ? "moon" : "sun"} />
        </button>
        <a class="ghost wide-only" href="/status">
          Status
        </a>
      </header>
      {guide && (
        <Guide
          devices={devices}
          hide={() => {
            localStorage.setItem(guideKey, "yes");
            setGuide(false);
          }}
        />
      )}
      <main class={devices.length > 1 ? "two" : "one"}>
        {devices.map((device) => (
          <Pane
            key={device.pane}
            device={device}
            openHistory={(card) => {
              setLooked({ device, card });
              setDrawer(true);
            }}
          />
        ))}
      </main>
      {drawer && <Drawer devices={devices} looked={looked} setLooked={setLooked} close={() => setDrawer(false)} />}
      <p id="move-help" hidden>
        The arrow keys move the card.
      </p>
      <p class="sr-only" role="status" aria-live="polite">
        {said}
      </p>
    </>
  );
}

function start(): void {
  applyTheme(theme.get());
  const { space, seats } = placeOf(location.search);
  const devices = seats.map((seat) => startDevice(seat, space));
  measure(devices);
  const root = document.getElementById("app");
  if (root) render(<App devices={devices} space={space} />, root);
  // Opens the page without a network from the second visit on. Private windows may refuse.
  navigator.serviceWorker?.register("/worker.js").catch(() => {});
}

start();
