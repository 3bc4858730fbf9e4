import type { Device } from "../device.js";
import type { CardRow } from "../rules.js";
import { Convergence } from "./convergence.js";
import { History } from "./history.js";
import { Icon } from "./icons.js";
import { Log } from "./log.js";
import { Wire } from "./wire.js";

/** A card whose history is being looked at, and on which device. */
export interface Looked {
  readonly device: Device;
  readonly card: CardRow;
}

/** What goes on behind the board. */
export function Drawer({ devices, looked, setLooked, close }: { devices: readonly Device[]; looked: Looked | undefined; setLooked: (looked: Looked | undefined) => void; close: () => void }) {
  const [first] = devices;
  if (!first) return null;
  return (
    <section class="drawer" data-testid="drawer" aria-label="Under the hood">
      <button type="button" class="ghost drawer-close" aria-label="Close" data-testid="drawer-close" onClick={close}>
        <Icon name="close" />
      </button>
      {looked && <History key={looked.card.id} looked={looked} close={() => setLooked(undefined)} />}
      <Log device={first} />
      <Wire devices={devices} />
      <Convergence devices={devices} />
    </section>
  );
}
